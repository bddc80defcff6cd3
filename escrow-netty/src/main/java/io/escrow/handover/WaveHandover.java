package io.escrow.handover;

import io.escrow.Deposit;
import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.escrow.handover.connection.Connection;
import io.escrow.handover.link.HandoverEndpoint;
import io.escrow.handover.link.ProcessLink;
import io.escrow.handover.link.ProtocolVersion;
import io.escrow.handover.store.ChannelSlot;
import io.escrow.internal.EventLoops;
import io.escrow.internal.Futures;
import io.escrow.internal.OpenFiles;
import io.escrow.internal.Results;
import io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Hands connections over in waves: finds the process that takes over while this one still serves. All descriptors are put
 * into the escrow. Then the session ends, and the process whose turn it is comes to the {@link HandoverEndpoint}. This
 * process queues for the session again: when it gets the session, no other process was there, or none that it can talk
 * to.
 *
 * <p>When the time is up, and another process has begun to take over, that one keeps the session. This process serves what
 * it still has, and a further handover goes on with the rest: the other process comes back for it.
 */
final class WaveHandover {

    /** What a handover in waves opens: two pairs of sockets, and a client with an event loop and a ring. */
    private static final int OPEN_FILES = 16;

    /** How many connections are looked at in one go: their event loops have others to serve. */
    private static final int SLICE = 64;

    private final HandoverContext server;
    private final Map<Connection, String> staying;
    private final EventLoop loop;
    private final BlockingQueue<Object> comers = new LinkedBlockingQueue<>();
    private final List<ChannelSlot> gone = new ArrayList<>();
    private CompletableFuture<HandoverEndpoint> endpoint;
    private CompletableFuture<EscrowClient> back;
    private CompletableFuture<Void> regained;
    private ProcessLink current;
    private Deadline deadline;
    private boolean welcomed;
    private boolean over;

    /** Whether it is over because this process ends. */
    private boolean ending;

    private volatile boolean left;
    private int moved;
    private long restingNanos;

    WaveHandover(HandoverContext server, Deadline deadline, Map<Connection, String> staying) {
        this.server = server;
        this.deadline = deadline;
        this.staying = staying;
        this.loop = server.listeners().get(0).channel().eventLoop();
    }

    /** Returns the connections that stay here, with the reasons. */
    Map<Connection, String> staying() {
        return staying;
    }

    /** Returns how many connections the next process has taken. */
    int moved() {
        return moved;
    }

    /** Returns how long it took until the connections were at rest, in nanoseconds. */
    long restingNanos() {
        return restingNanos;
    }

    /**
     * Puts the connections that can be moved, and each new one, into the escrow; they are being served meanwhile. Those whose
     * handlers throw something stay, unless that are most of them.
     */
    void escrowConnections() throws EscrowException {
        Phase.Span phase = Phase.ESCROWING.begin();
        server.connections().setEscrowing(true);
        List<Connection> connections = List.copyOf(server.connections().all());
        List<Results<Connection, CompletableFuture<Void>>> stored = new ArrayList<>();
        Map<Connection, Throwable> failed = new ConcurrentHashMap<>();
        for (int from = 0; from < connections.size(); from += SLICE) {
            List<Connection> slice = connections.subList(from, Math.min(from + SLICE, connections.size()));
            stored.add(deadline.await(
                    EventLoops.forEach(slice, Connection::channel, connection -> escrow(connection, failed))));
        }
        if (2 * failed.size() > connections.size()) {
            throw Futures.toEscrowException(failed.values().iterator().next());
        }
        failed.forEach((connection, failure) -> stay(connection, ConnectionBatch.whyFailed(failure)));
        for (Results<Connection, CompletableFuture<Void>> some : stored) {
            for (int i = 0; i < some.size(); i++) {
                awaitStored(some.item(i), some.value(i));
            }
        }
        phase.end(connections.size());
    }

    private void awaitStored(Connection connection, CompletableFuture<Void> stored) throws EscrowException {
        try {
            deadline.await(stored);
        } catch (EscrowException e) {
            if (connection.channel().isActive()) {
                throw e;
            }
            // When it ends meanwhile, its descriptor is not stored.
            deadline.await(connection.ended());
        }
    }

    /** Asks for a connection to be stored; adds what its handlers threw when they were asked. Called on its event loop. */
    private static CompletableFuture<Void> escrow(Connection connection, Map<Connection, Throwable> failed) {
        try {
            return connection.whyImmovable() == null
                    ? Connections.put(connection, connection.crashRecord())
                    : connection.slot().remove();
        } catch (Throwable e) {
            failed.put(connection, e);
            return connection.slot().remove();
        }
    }

    /**
     * Gives the session to the next process, and then all connections.
     *
     * @return whether there was one; if not, this process has the session again, or still
     */
    boolean run() throws EscrowException {
        if (!OpenFiles.canOpen(OPEN_FILES)) {
            HandoverLog.LOGGER.warn(
                    "the connections are handed over at once, not in waves: this process can't open {} more files (ulimit -n)",
                    OPEN_FILES);
            return false;
        }
        endpoint = HandoverEndpoint.open(loop, server.table().newListenerSlot(), this::arrived);
        deadline.await(endpoint);
        server.connections().setSuccessor(this::gone);
        CompletableFuture<Void> ended = server.session().end();
        back = server.configuration()
                .escrow()
                .copy()
                .onWaiting(waiting -> {})
                .connectTimeout(Duration.ofDays(1))
                .connect();
        deadline.await(ended);
        back.whenComplete((client, failure) -> comers.add(failure == null ? client : failure));
        return giveAll();
    }

    /** Gives the rest, when the time was up before the next process had everything; returns what {@link #run} does. */
    boolean goOn(Deadline further) throws EscrowException {
        deadline = further;
        return giveAll();
    }

    private boolean giveAll() throws EscrowException {
        while (true) {
            Phase.Span meeting = Phase.MEETING.begin();
            Object comer = nextComer();
            meeting.end(server.connections().all().size());
            if (comer instanceof ProcessLink next) {
                if (give(next)) {
                    leave();
                    return true;
                }
            } else {
                deadline.await(regain());
                return false;
            }
        }
    }

    private Object nextComer() throws EscrowException {
        try {
            Object comer = comers.poll(deadline.left(), TimeUnit.NANOSECONDS);
            if (comer == null) {
                throw new EscrowException(Status.ETIMEDOUT, whyLate());
            }
            return comer;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new EscrowException(Status.ETIMEDOUT, "the handover was interrupted", e);
        }
    }

    private synchronized String whyLate() {
        return welcomed
                ? "the next process did not take everything in time: " + moved + " connections have moved, and "
                        + server.connections().all().size()
                        + " are served here; hand over again to go on with them, or end the next process to go back"
                : "another process had the session with the escrow all the time";
    }

    private boolean give(ProcessLink next) throws EscrowException {
        try (next) {
            ProcessLink.Message answer = next.receive(deadline.left());
            if (answer == null
                    || answer.kind() != ProcessLink.Kind.READY
                    || !ProtocolVersion.OWN.fits(ProtocolVersion.decode(answer.content()))) {
                return false;
            }
            List<Connection> connections = server.connections().all().stream()
                    .filter(connection -> !staying.containsKey(connection))
                    .toList();
            WaveSender waves = new WaveSender(server, deadline, next, connections, this::stay);
            try {
                if (!waves.run()) {
                    return false;
                }
                next.send(ProcessLink.Kind.DONE).awaitUninterruptibly();
                return true;
            } finally {
                moved += waves.moved();
                restingNanos += waves.restingNanos();
            }
        } finally {
            end(next);
        }
    }

    private void stay(Connection connection, String reason) {
        staying.put(connection, reason);
        gone(connection.slot());
    }

    private synchronized void begin(ProcessLink next) {
        welcomed = true;
        current = next;
        next.write(ProcessLink.Kind.WELCOME, 0, ProtocolVersion.OWN.encode());
        gone.forEach(slot -> next.write(ProcessLink.Kind.GONE, slot.index(), Deposit.NO_BYTES));
        next.flush();
    }

    private synchronized void end(ProcessLink ended) {
        if (current == ended) {
            current = null;
        }
    }

    /** Reports to the next process that a connection has ended, or stays here. */
    synchronized void gone(ChannelSlot slot) {
        gone.add(slot);
        if (current != null) {
            current.send(ProcessLink.Kind.GONE, slot.index(), Deposit.NO_BYTES);
        }
    }

    private synchronized void arrived(ProcessLink next) {
        if (ending) {
            // It is to find that there is nobody here any more, and to adopt what is left.
            next.close();
        } else if (over) {
            next.send(ProcessLink.Kind.LATER).addListener(f -> next.close());
        } else {
            begin(next);
            comers.add(next);
        }
    }

    private void leave() {
        left = true;
        // A handover that was not done in time wanted it back.
        server.session().end();
        EscrowSession.giveUp(back);
        endpoint.thenAccept(HandoverEndpoint::close);
    }

    /**
     * Gives the handover up; but when another process has begun to take over, {@link #goOn} may go on with it until this process
     * has the session again.
     *
     * @param onSession called when this process has its session, now or later, by any thread
     */
    void abandon(Runnable onSession) {
        if (back != null) {
            synchronized (this) {
                over = !welcomed;
            }
            regain().thenRun(onSession);
            return;
        }
        if (endpoint != null) {
            endpoint.thenAccept(HandoverEndpoint::remove);
        }
        onSession.run();
    }

    /** Returns whether another process has begun to take over, and has the session as far as is known. */
    synchronized boolean canGoOn() {
        return welcomed && !over;
    }

    /** Makes the session again as soon as no other process has one; sends away those that come until then. */
    private CompletableFuture<Void> regain() {
        if (regained == null) {
            regained = server.session().regain(back).whenComplete((nothing, failure) -> end(failure));
        }
        return regained;
    }

    /** Lets nobody come any more, because the session is here again, can't be made, or is not wanted. */
    private void end(Throwable failure) {
        if (left) {
            return;
        }
        boolean closed = failure != null && Futures.unwrap(failure) instanceof CancellationException;
        boolean waitedFor;
        synchronized (this) {
            over = true;
            ending = closed;
            waitedFor = welcomed;
        }
        for (Object comer : comers) {
            if (comer instanceof ProcessLink link) {
                arrived(link);
            }
        }
        server.connections().setSuccessor(null);
        // A process that has begun to take over would take the end for a death, and adopt what is served here.
        if (failure == null || closed || !waitedFor) {
            endpoint.thenAccept(HandoverEndpoint::remove);
        }
        synchronized (this) {
            gone.forEach(ChannelSlot::remove);
        }
    }
}
