package io.escrow.handover;

import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.handover.link.HandoverEndpoint;
import io.escrow.handover.link.ProcessLink;
import io.escrow.handover.link.ProtocolVersion;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.UnreadableRecordException;
import io.escrow.internal.Futures;
import io.netty.channel.EventLoop;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.event.Level;

/** Takes connections over from a process that still serves them, wave by wave. Used by the thread of the start. */
final class WaveReceiver implements AutoCloseable {

    /** How long it waits until it tries again to meet the process before: at first, and at most. */
    private static final long FIRST_RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    private static final long LONGEST_RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    /** Whether the process before could be met; {@code LATE} if it lives, and could not. */
    private enum Meeting {
        MET,
        DEAD,
        LATE
    }

    private static final Logger logger = HandoverLog.LOGGER;

    private final EventLoop loop;
    private final Socket meetingPoint;
    private ProcessLink before;

    /** What was fetched, and given up again with its descriptor: connections of which no wave was taken. By index. */
    private final Map<Integer, Entry> givenUp = new LinkedHashMap<>();

    private boolean welcome;
    private boolean brokenOff;
    /** What the process before has said when it was met, and was not looked at yet; {@code null} if there is nothing. */
    private ProcessLink.Message answer;

    private String whyNotMet;

    private WaveReceiver(EventLoop loop, Socket meetingPoint) {
        this.loop = loop;
        this.meetingPoint = meetingPoint;
    }

    /**
     * Meets the process before.
     *
     * @param end the escrow's end of its {@link HandoverEndpoint}, which it owns
     * @param patience how long it may take to meet a process that lives
     * @return {@code null} if that process has died
     * @throws EscrowException if it lives and could not be met: it goes on with its connections
     */
    static WaveReceiver meet(EventLoop loop, int end, Duration patience) throws EscrowException {
        WaveReceiver receiver = new WaveReceiver(loop, new Socket(end));
        Meeting meeting = receiver.meet(patience, () -> {});
        if (meeting != Meeting.MET) {
            close(receiver.meetingPoint);
        }
        if (meeting == Meeting.LATE) {
            throw new EscrowException(
                    Status.ETIMEDOUT,
                    "the process before lives, and could not be met within " + patience.toMillis()
                            + " ms, the connect timeout of the escrow's client: " + receiver.whyNotMet
                            + "; end it, or hand over again");
        }
        if (meeting == Meeting.DEAD) {
            return null;
        }
        ProcessLink.Message first = receiver.receive();
        receiver.welcome = first.kind() == ProcessLink.Kind.WELCOME
                && ProtocolVersion.OWN.fits(ProtocolVersion.decode(first.content()));
        return receiver;
    }

    /**
     * Returns whether the process before hands over in waves. If not, it wants its session back, or can't talk to this
     * process: then it hands over at once, when it has the session.
     */
    boolean isWelcome() {
        return welcome;
    }

    /**
     * Takes all connections. When the process before breaks off, and lives, this waits until it hands over again, or ends.
     *
     * @param entries what the escrow holds, by index
     * @return whether all are taken; if not, the process before goes on with the rest, and wants its session back
     */
    boolean takeAll(HandoverContext server, ConnectionAdopter adopter, StartNotes notes, Map<Integer, Entry> entries) {
        Map<Integer, ChannelRecord> wave = new LinkedHashMap<>();
        Set<Integer> unreadable = new LinkedHashSet<>();
        String listener = "";
        before.send(ProcessLink.Kind.READY, 0, ProtocolVersion.OWN.encode());
        while (true) {
            ProcessLink.Message message = receive();
            switch (message.kind()) {
                case MOVED -> {
                    try {
                        ChannelRecord record = ChannelRecord.decode(message.content(), listener);
                        listener = record.listener();
                        wave.put(message.index(), record);
                    } catch (UnreadableRecordException e) {
                        unreadable.add(message.index());
                        notes.leave("connection " + server.table().connectionTag() + "/" + message.index() + ": "
                                + e.text());
                    }
                }
                case GONE -> {
                    forget(server, entries.remove(message.index()));
                    forget(server, givenUp.remove(message.index()));
                    adopter.gone(message.index());
                }
                case WAVE -> {
                    take(adopter, entries, wave, unreadable);
                    wave.clear();
                    unreadable.clear();
                }
                case DONE -> {
                    adoptRest(server, adopter, notes, entries);
                    return true;
                }
                case END -> {
                    // What it had sent of a wave, it has taken back.
                    wave.clear();
                    unreadable.clear();
                    Duration patience = server.configuration().escrow().connectTimeout();
                    Meeting meeting = meetAgain(entries.size() + givenUp.size(), patience);
                    if (meeting == Meeting.LATE || (meeting == Meeting.DEAD && !hasSession(server))) {
                        return leaveRest(entries);
                    } else if (meeting == Meeting.DEAD) {
                        adoptRest(server, adopter, notes, entries);
                        return true;
                    }
                }
                case WELCOME -> {
                    fetchAgain(server, adopter, notes, entries);
                    before.send(ProcessLink.Kind.READY, 0, ProtocolVersion.OWN.encode());
                }
                default -> {
                    return leaveRest(entries);
                }
            }
        }
    }

    private static boolean leaveRest(Map<Integer, Entry> entries) {
        entries.values().forEach(Entry::close);
        return false;
    }

    /** Returns whether no other process can have the session, and with it what the escrow has. */
    private static boolean hasSession(HandoverContext server) {
        return server.client()
                .tag(server.table().connectionTag())
                .handle((info, failure) -> failure == null)
                .join();
    }

    /** Takes a wave, but for connections of which there is no descriptor here, and those that can't be restored. */
    private void take(
            ConnectionAdopter adopter,
            Map<Integer, Entry> entries,
            Map<Integer, ChannelRecord> wave,
            Set<Integer> unreadable) {
        Phase.Span phase = Phase.TAKING_WAVE.begin();
        Set<Integer> notTaken = new LinkedHashSet<>(unreadable);
        List<HeldConnection> held = new ArrayList<>(wave.size());
        wave.forEach((index, record) -> {
            Entry entry = entries.get(index);
            if (entry == null) {
                notTaken.add(index);
            } else {
                HeldConnection connection = adopter.assemble(entry, record);
                if (connection != null) {
                    held.add(connection);
                }
            }
        });
        for (SlotKey slot : adopter.left()) {
            if (wave.containsKey(slot.index())) {
                notTaken.add(slot.index());
            }
        }
        boolean taken = adopter.goOn(held, notRestored -> {
            notRestored.forEach(slot -> notTaken.add(slot.index()));
            return before.send(ProcessLink.Kind.TAKEN, 0, encode(notTaken))
                    .awaitUninterruptibly()
                    .isSuccess();
        });
        for (Integer index : wave.keySet()) {
            Entry entry = entries.remove(index);
            if (entry != null && (!taken || notTaken.contains(index))) {
                // The process before has it, and reports that it stays, unless it dies before.
                givenUp.put(index, entry);
            }
        }
        if (!taken) {
            // They may be offered again.
            unreadable.forEach(adopter::gone);
            wave.keySet().forEach(adopter::gone);
        }
        phase.end(held.size());
    }

    private static byte[] encode(Set<Integer> indices) {
        ByteBuffer out = ByteBuffer.allocate(indices.size() * Integer.BYTES);
        indices.forEach(out::putInt);
        return out.array();
    }

    /** Adopts what no process serves any more. */
    private void adoptRest(
            HandoverContext server, ConnectionAdopter adopter, StartNotes notes, Map<Integer, Entry> entries) {
        Phase.Span phase = Phase.ADOPTING.begin();
        fetchAgain(server, adopter, notes, entries);
        List<HeldConnection> held =
                held(entries.values().stream().map(adopter::assemble).toList());
        adopter.goOn(held, notRestored -> true);
        phase.end(held.size());
    }

    /** Fetches what was given up: the process before still had it, and offers it again, or has died. */
    private void fetchAgain(
            HandoverContext server, ConnectionAdopter adopter, StartNotes notes, Map<Integer, Entry> entries) {
        try {
            server.client()
                    .getAll(
                            givenUp.values().stream().map(Entry::key).iterator(),
                            entry -> forget(entries.put(entry.index(), entry)))
                    .join()
                    .failures()
                    .forEach((slot, failure) -> adopter.leave(slot, failure.getMessage()));
            givenUp.clear();
        } catch (CompletionException e) {
            notes.leave("the rest of the connections: " + Futures.unwrap(e).getMessage());
        }
    }

    private static List<HeldConnection> held(List<CompletableFuture<HeldConnection>> assembled) {
        return assembled.stream()
                .map(CompletableFuture::join)
                .filter(connection -> connection != null)
                .toList();
    }

    private static void forget(HandoverContext server, Entry entry) {
        forget(entry);
        if (entry != null) {
            server.table().discard(entry);
        }
    }

    private static void forget(Entry entry) {
        if (entry != null) {
            entry.close();
        }
    }

    /**
     * Offers the process before, which has broken off, to go on.
     *
     * @param rest how many connections it has that were not taken
     * @param patience how long it may take to meet it
     */
    private Meeting meetAgain(int rest, Duration patience) {
        before.close();
        Meeting meeting = meet(patience, () -> {
            logger.atLevel(brokenOff ? Level.DEBUG : Level.INFO)
                    .log(
                            "the process before has broken off its handover, and goes on with {} connections:"
                                    + " waiting until it hands them over, or ends",
                            rest);
            brokenOff = true;
        });
        if (meeting == Meeting.LATE) {
            logger.warn(
                    "the process before, which has broken off its handover and goes on with {} connections, could not be"
                            + " met again within {} ms, the connect timeout of the escrow's client: {}; leaving"
                            + " them to it: end it, or hand over to another process",
                    rest,
                    patience.toMillis(),
                    whyNotMet);
        }
        return meeting;
    }

    /**
     * Sends links to the process before until it answers. One that can open no more files, for example, does not get them.
     *
     * @param onLink called when a link was sent
     */
    private Meeting meet(Duration patience, Runnable onLink) {
        Deadline deadline = new Deadline(patience);
        long retryNanos = FIRST_RETRY_NANOS;
        while (!hasDied()) {
            try {
                before = HandoverEndpoint.meet(loop, meetingPoint.intValue());
                onLink.run();
                answer = before.receive();
                if (answer.kind() != ProcessLink.Kind.END) {
                    return Meeting.MET;
                }
                before.close();
                whyNotMet = "the link was closed";
            } catch (IOException e) {
                whyNotMet = e.toString();
            }
            if (deadline.hasPassed()) {
                return Meeting.LATE;
            }
            logger.debug("the process before can't be met just now: {}", whyNotMet);
            LockSupport.parkNanos(Math.min(retryNanos, deadline.left()));
            retryNanos = Math.min(2 * retryNanos, LONGEST_RETRY_NANOS);
        }
        return Meeting.DEAD;
    }

    private ProcessLink.Message receive() {
        ProcessLink.Message next = answer == null ? before.receive() : answer;
        answer = null;
        return next;
    }

    /** Returns whether the process before has died, as far as is known: not all of it ends at the same moment. */
    private boolean hasDied() {
        try {
            return meetingPoint.recv(ByteBuffer.allocateDirect(1), 0, 1) < 0;
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
