package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.handover.connection.Connection;
import io.escrow.handover.link.ProcessLink;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.internal.EventLoops;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BiConsumer;

/**
 * Gives connections to the next process over a {@link ProcessLink}, a few at a time, while the others are being served. A
 * wave belongs to the next process from the moment that it says so: if it dies before, or is too slow, the wave goes on
 * here.
 *
 * <p>Connections that are busy take no room from those that were not asked yet: some never come to rest.
 */
final class WaveSender {

    private static final int POLL_NANOS = 1_000_000;

    /** How long connections at rest are waited for until others are asked in their place. */
    private static final long SHORT_NANOS = TimeUnit.SECONDS.toNanos(1);

    private static final String LATE = "it did not come to rest in time: ";

    /** How long a wave may still take when the time of the handover is up. */
    private static final Duration LAST_WAVE = Duration.ofSeconds(2);

    private final HandoverContext server;
    private final Deadline deadline;
    private final ProcessLink next;
    private final BiConsumer<Connection, String> onStaying;
    private final Deque<Connection> waiting;

    /** Those that were busy when they were last asked, with the reason. */
    private final Map<Connection, String> busy = new LinkedHashMap<>();

    /** Those at rest of which executors of their pipelines may still have something to do. No wave waits for them. */
    private final List<ConnectionBatch.Parked> parked = new ArrayList<>();

    /** Ends of waves that the next process has: nothing here waits for them before all is done. */
    private final List<CompletableFuture<Void>> lettingGo = new ArrayList<>();

    private final int total;
    private final AtomicInteger moved = new AtomicInteger();
    private long restingNanos;

    /** When the last wave was taken, by {@link System#nanoTime}. */
    private long takenAt;

    /**
     * Prepares to give connections away.
     *
     * @param next the link to the process that is to have them
     * @param onStaying called with those that can't be moved, and the reason
     */
    WaveSender(
            HandoverContext server,
            Deadline deadline,
            ProcessLink next,
            Collection<Connection> connections,
            BiConsumer<Connection, String> onStaying) {
        this.server = server;
        this.deadline = deadline;
        this.next = next;
        this.onStaying = onStaying;
        this.waiting = new ArrayDeque<>(connections);
        this.total = waiting.size();
    }

    /** Returns how many connections the next process has taken. */
    int moved() {
        return moved.get();
    }

    /** Returns how long the waves were waited for until they were at rest, in nanoseconds. */
    long restingNanos() {
        return restingNanos;
    }

    /** Returns whether the next process has taken all that can be moved; if not, it has gone. */
    boolean run() throws EscrowException {
        ProgressTicker ticker = new ProgressTicker(
                next.loop(), server.configuration().onProgress(), Progress.Step.STORING, moved::get, total);
        try {
            WaveSize size = new WaveSize(server.configuration().wave().toNanos(), deadline.left());
            while (!waiting.isEmpty() || !busy.isEmpty() || !parked.isEmpty()) {
                long began = System.nanoTime();
                Phase.Span phase = Phase.GIVING_WAVE.begin();
                ConnectionBatch wave = rest(size.get());
                began -= wave.parkedNanos();
                if (wave.resting() == 0) {
                    LockSupport.parkNanos(POLL_NANOS);
                } else if (give(wave)) {
                    phase.end(wave.apart().size());
                    int left = waiting.size() + busy.size() + parked.size();
                    size.learn(wave.resting(), takenAt - began, left, deadline.left());
                } else {
                    return false;
                }
            }
            return true;
        } finally {
            ticker.stop();
            CompletableFuture.allOf(lettingGo.toArray(CompletableFuture[]::new)).join();
        }
    }

    /** Brings the next wave to rest. Those that are busy begin no new message, and are asked again with later waves. */
    private ConnectionBatch rest(int size) throws EscrowException {
        final long began = System.nanoTime();
        List<Connection> asked = new ArrayList<>();
        int room = room(size);
        poll(busy.keySet(), room, asked);
        poll(waiting, room, asked);
        ConnectionBatch wave = new ConnectionBatch(
                server, new Deadline(Duration.ofNanos(deadline.left()).plus(LAST_WAVE)));
        busy.putAll(wave.ask(asked));
        parked.addAll(wave.park());
        takeBack(wave);
        if (wave.resting() > 0) {
            busy.putAll(wave.restless());
        }
        wave.immovable().forEach(onStaying);
        wave.keepFailed(onStaying);
        if (deadline.hasPassed()) {
            giveUp();
        }
        restingNanos += System.nanoTime() - began;
        return wave;
    }

    /** Returns how many may be asked, with those that are parked; but those that were long ago hold nobody up. */
    private int room(int size) {
        long now = System.nanoTime();
        int taken = 0;
        for (ConnectionBatch.Parked some : parked) {
            if (now - some.since() < SHORT_NANOS) {
                taken += some.connections().size();
            }
        }
        return Math.max(0, size - taken);
    }

    /** Takes those into a wave that were parked until their executors were done. */
    private void takeBack(ConnectionBatch wave) throws EscrowException {
        for (Iterator<ConnectionBatch.Parked> all = parked.iterator(); all.hasNext(); ) {
            ConnectionBatch.Parked some = all.next();
            if (some.settled().isDone()) {
                all.remove();
                if (some.settled().join()) {
                    wave.takeBack(some);
                } else {
                    goOn(wave.deadline(), some);
                    some.connections().forEach(connection -> busy.put(connection, "its executor was shut down"));
                }
            }
        }
    }

    private static void goOn(Deadline deadline, ConnectionBatch.Parked parked) throws EscrowException {
        deadline.await(EventLoops.run(parked.connections(), Connection::channel, Connection::goOn));
    }

    /** Leaves those here that are busy, or still waited for. */
    private void giveUp() throws EscrowException {
        busy.forEach((connection, reason) -> onStaying.accept(connection, LATE + reason));
        busy.clear();
        for (ConnectionBatch.Parked some : parked) {
            goOn(new Deadline(LAST_WAVE), some);
            some.connections().forEach(connection -> {
                if (connection.channel().isActive()) {
                    onStaying.accept(connection, LATE + ConnectionBatch.whyNotSettled(connection));
                }
            });
        }
        parked.clear();
    }

    private static void poll(Collection<Connection> from, int count, List<Connection> to) {
        Iterator<Connection> each = from.iterator();
        for (int i = 0; i < count && each.hasNext(); i++) {
            to.add(each.next());
            each.remove();
        }
    }

    private boolean give(ConnectionBatch wave) throws EscrowException {
        wave.takeApart();
        wave.keepFailed(onStaying);
        wave.apart()
                .forEach((connection, saved) -> next.write(
                        ProcessLink.Kind.MOVED, connection.slot().index(), saved.encodedLength(), saved::encode));
        next.send(ProcessLink.Kind.WAVE);
        ProcessLink.Message answer = next.receive(wave.deadline().left());
        if (answer == null) {
            answer = lastWord();
        }
        if (!isTaken(answer)) {
            ConnectionBatch.comeBack(wave.apart().keySet()).join();
            return false;
        }
        takenAt = System.nanoTime();
        Set<Integer> notTaken = notTaken(answer);
        Map<Connection, ChannelRecord> apart = wave.apart();
        List<Connection> left = apart.keySet().stream()
                .filter(connection -> notTaken.contains(connection.slot().index()))
                .toList();
        left.forEach(apart::remove);
        lettingGo.add(wave.letGo());
        moved.addAndGet(apart.size());
        ConnectionBatch.comeBack(left).join();
        left.forEach(connection -> onStaying.accept(connection, whyNotTaken(connection)));
        return true;
    }

    private static String whyNotTaken(Connection connection) {
        return connection.slot().mayBeFilled()
                ? "the next process could not take it; the report of that process has the reason"
                : "it was accepted when the next process had the session with the escrow already";
    }

    /** Returns whether the next process has taken the wave. What is no list of indices is no message: the link ends. */
    private static boolean isTaken(ProcessLink.Message answer) {
        return answer.kind() == ProcessLink.Kind.TAKEN && answer.content().remaining() % Integer.BYTES == 0;
    }

    /** Makes sure that the next process takes nothing more, and returns the last message that it sent before that. */
    private ProcessLink.Message lastWord() {
        next.cut();
        ProcessLink.Message message = next.receive();
        while (message.kind() != ProcessLink.Kind.TAKEN && message.kind() != ProcessLink.Kind.END) {
            message = next.receive();
        }
        return message;
    }

    private static Set<Integer> notTaken(ProcessLink.Message taken) {
        ByteBuffer in = taken.content();
        Set<Integer> indices = new HashSet<>();
        while (in.hasRemaining()) {
            indices.add(in.getInt());
        }
        return indices;
    }
}
