package io.escrow.handover;

import io.escrow.Entry;
import io.escrow.SlotKey;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.UnreadableRecordException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoop;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Takes connections over from a process that still serves them, wave by wave. Used by the thread of the start. */
final class WaveTaker implements AutoCloseable {

    private static final byte[] NOTHING = {};
    private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    /** How long it may take until all of a process that has died is gone. */
    private static final long DEATH_NANOS = TimeUnit.SECONDS.toNanos(2);

    private final Socket meetingPoint;
    private final Link before;
    private boolean welcome;

    private WaveTaker(Socket meetingPoint, Link before) {
        this.meetingPoint = meetingPoint;
        this.before = before;
    }

    /**
     * Meets the process before.
     *
     * @param end the escrow's end of its {@link Rendezvous}, which it owns
     * @return {@code null} if that process has died
     */
    static WaveTaker meet(EventLoop loop, int end) {
        Socket meetingPoint = new Socket(end);
        try {
            WaveTaker taker = new WaveTaker(meetingPoint, Rendezvous.meet(loop, end));
            Link.Message answer = taker.before.receive();
            if (answer.kind() == Link.Kind.END) {
                taker.close();
                return null;
            }
            taker.welcome = answer.kind() == Link.Kind.WELCOME;
            return taker;
        } catch (IOException e) {
            close(meetingPoint);
            return null;
        }
    }

    /** Tells whether the process before hands over; if not, it wants its session back. */
    boolean isWelcome() {
        return welcome;
    }

    /**
     * Takes all connections.
     *
     * @param entries what the escrow holds, by index
     * @return whether all are taken; if not, the process before goes on with the rest
     */
    boolean takeAll(ServerHandover server, Adopter adopter, Map<Integer, Entry> entries) {
        Map<Integer, ChannelRecord> wave = new LinkedHashMap<>();
        before.send(Link.Kind.READY, 0, NOTHING);
        while (true) {
            Link.Message message = before.receive();
            switch (message.kind()) {
                case MOVED -> wave.put(message.index(), record(message));
                case GONE -> forget(server, entries.remove(message.index()));
                case WAVE -> {
                    take(adopter, entries, wave);
                    wave.clear();
                }
                case DONE -> {
                    adoptRest(adopter, entries);
                    return true;
                }
                default -> {
                    if (hasDied()) {
                        adoptRest(adopter, entries);
                        return true;
                    }
                    entries.values().forEach(Entry::close);
                    return false;
                }
            }
        }
    }

    private void take(Adopter adopter, Map<Integer, Entry> entries, Map<Integer, ChannelRecord> wave) {
        Phase.Span phase = Phase.TAKING_WAVE.begin();
        ByteBuf notTaken = Unpooled.buffer();
        List<CompletableFuture<Adopter.Held>> assembled = new ArrayList<>();
        wave.forEach((index, saved) -> {
            // What can't be taken stays in the old process, which says that it is gone.
            Entry entry = saved == null ? null : entries.remove(index);
            if (entry == null) {
                notTaken.writeInt(index);
            } else {
                assembled.add(adopter.assemble(entry, saved));
            }
        });
        List<Adopter.Held> held = held(assembled);
        adopter.goOn(
                held,
                () -> before.send(Link.Kind.TAKEN, 0, ByteBufUtil.getBytes(notTaken))
                        .awaitUninterruptibly()
                        .isSuccess());
        phase.end(held.size());
    }

    /** Returns the record of a connection that moves; {@code null} if it can't be read here. */
    private static ChannelRecord record(Link.Message moved) {
        try {
            return ChannelRecord.decode(moved.content());
        } catch (UnreadableRecordException e) {
            return null;
        }
    }

    /** Adopts what nobody serves any more. */
    private static void adoptRest(Adopter adopter, Map<Integer, Entry> entries) {
        Phase.Span phase = Phase.ADOPTING.begin();
        List<Adopter.Held> held =
                held(entries.values().stream().map(adopter::assemble).toList());
        adopter.goOn(held, () -> true);
        phase.end(held.size());
    }

    private static List<Adopter.Held> held(List<CompletableFuture<Adopter.Held>> assembled) {
        return assembled.stream()
                .map(CompletableFuture::join)
                .filter(connection -> connection != null)
                .toList();
    }

    private static void forget(ServerHandover server, Entry entry) {
        if (entry != null) {
            entry.close();
            server.table().discard(new SlotKey(entry.tag(), entry.index()));
        }
    }

    /** Tells whether the process before has died, and not only closed the link. */
    private boolean hasDied() {
        long began = System.nanoTime();
        ByteBuffer nothing = ByteBuffer.allocateDirect(1);
        try {
            while (meetingPoint.recv(nothing, 0, 1) >= 0) {
                if (System.nanoTime() - began > DEATH_NANOS) {
                    return false;
                }
                LockSupport.parkNanos(POLL_NANOS);
            }
            return true;
        } catch (IOException e) {
            return true;
        }
    }

    @Override
    public void close() {
        before.close();
        close(meetingPoint);
    }

    private static void close(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
