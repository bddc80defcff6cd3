package io.escrow.handover;

import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelSlot;
import io.escrow.handover.store.UnreferencedChunks;
import io.netty.channel.EventLoop;
import io.netty.util.collection.IntObjectHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Does what happens only where there are many connections, for a {@link RehearsalStage}, which has few: an event loop has more to do than one
 * part of its queue holds, keys collide, and handlers are of classes that nobody has asked for. Code that was compiled before it had met that
 * is thrown away when it does, in the middle of a handover. Used by the thread of the rehearsal.
 */
final class RehearsalCrowd {

    /** How many there are of everything. */
    private static final int MANY = 3_000;

    /** How many classes are made. */
    private static final int CLASSES = 50;

    private static final Object VALUE = new Object();

    private RehearsalCrowd() {}

    /**
     * Loads a class of Java that comes with the turn otherwise. Java throws away then what it has compiled on the assumption that
     * {@link CompletableFuture} has no subclass.
     */
    static void loadLate() {
        CompletableFuture.completedStage(null);
    }

    /** Has an event loop find many tasks at once. */
    static void queue(EventLoop loop) {
        CompletableFuture<Void> queued = new CompletableFuture<>();
        loop.execute(queued::join);
        try {
            for (int i = 0; i < MANY; i++) {
                loop.execute(() -> {});
            }
        } finally {
            queued.complete(null);
        }
        loop.submit(() -> {}).awaitUninterruptibly();
    }

    /** Fills tables of the kinds that connections are in, so that keys collide. */
    static void tables() {
        Map<Object, Object> shared = new ConcurrentHashMap<>();
        IntObjectHashMap<Object> numbered = new IntObjectHashMap<>();
        for (int i = 0; i < MANY; i++) {
            shared.put(new Object(), VALUE);
            numbered.put(i * MANY, VALUE);
        }
        shared.keySet().forEach(shared::remove);
        List.copyOf(numbered.keySet()).forEach(numbered::remove);
    }

    /** Asks for what is kept of classes, some of which nothing is kept of. */
    static void classes() {
        ClassValue<Object> kept = new ClassValue<>() {
            @Override
            protected Object computeValue(Class<?> type) {
                return VALUE;
            }
        };
        for (int i = 0; i < MANY; i++) {
            kept.get(RehearsalCrowd.class);
        }
        Class<?> fresh = RehearsalCrowd.class;
        for (int i = 0; i < CLASSES; i++) {
            fresh = fresh.arrayType();
            kept.get(fresh);
        }
    }

    /** Has the escrow keep many slots, as those of a server at once, but without descriptors. */
    static void slots(HandoverContext server, Deadline deadline) throws EscrowException {
        ChannelRecord record = ChannelRecord.builder(RehearsalStage.NAME, true).build();
        List<ChannelSlot> slots =
                Stream.generate(server.table()::newConnectionSlot).limit(MANY).toList();
        deadline.await(all(slots.stream().map(slot -> slot.store(record))));
        // The server is another one who takes them than these.
        List<Consumer<Entry>> takers = List.of(Entry::close, entry -> entry.close(), new Taker());
        for (Consumer<Entry> taker : takers) {
            deadline.await(deadline.await(UnreferencedChunks.find(server.table()))
                    .getAll(server.table().connectionTag(), taker));
        }
        deadline.await(all(slots.stream().map(ChannelSlot::free)));
    }

    private static CompletableFuture<Void> all(Stream<CompletableFuture<Void>> futures) {
        return CompletableFuture.allOf(futures.toArray(CompletableFuture[]::new));
    }

    private static final class Taker implements Consumer<Entry> {
        @Override
        public void accept(Entry entry) {
            entry.close();
        }
    }
}
