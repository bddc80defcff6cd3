package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.escrow.handover.store.ChannelSlot;
import io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Finds the process that takes over while this one still serves. All descriptors are put into the escrow; then the
 * session ends, and whose turn it is meets this process at the {@link Rendezvous}. This process queues for the session
 * again: when it gets it, nobody else was there.
 */
final class Succession {

    private static final byte[] NOTHING = {};

    /** How many connections are looked at in one go: their event loops have others to serve. */
    private static final int SLICE = 64;

    private final ServerHandover server;
    private final Deadline deadline;
    private final Map<Guard, String> staying;
    private final EventLoop loop;
    private final BlockingQueue<Object> comers = new LinkedBlockingQueue<>();
    private final List<ChannelSlot> gone = new ArrayList<>();
    private CompletableFuture<EscrowClient> back;
    private Rendezvous rendezvous;
    private Link current;
    private boolean over;
    private int moved;
    private long restingNanos;

    Succession(ServerHandover server, Deadline deadline, Map<Guard, String> staying) {
        this.server = server;
        this.deadline = deadline;
        this.staying = staying;
        this.loop = server.options().listeners.get(0).channel().eventLoop();
    }

    /** Returns how many connections the next process has taken. */
    int moved() {
        return moved;
    }

    /** Returns how long connections were waited for until they were at rest, in nanoseconds. */
    long restingNanos() {
        return restingNanos;
    }

    /** Puts the connections that can be moved, and each new one, into the escrow; they are being served meanwhile. */
    void escrowConnections() throws EscrowException {
        Phase.Span phase = Phase.ESCROWING.begin();
        server.escrowing(true);
        List<Guard> guards = List.copyOf(server.guards());
        List<CompletableFuture<Void>> stored = new ArrayList<>();
        for (int from = 0; from < guards.size(); from += SLICE) {
            List<Guard> slice = guards.subList(from, Math.min(from + SLICE, guards.size()));
            stored.addAll(
                    deadline.await(Loops.forEach(slice, Succession::escrow)).values());
        }
        deadline.await(CompletableFuture.allOf(stored.toArray(CompletableFuture[]::new)));
        phase.end(guards.size());
    }

    private static CompletableFuture<Void> escrow(Guard guard) {
        if (Dismantler.whyImmovable(guard) != null) {
            return guard.slot().remove();
        }
        CompletableFuture<Void> stored = ServerHandover.checkpoint(guard);
        return stored.exceptionallyCompose(failure -> guard.channel().isActive() ? stored : guard.ended());
    }

    /**
     * Gives all connections to the next process.
     *
     * @return whether there was one; if not, this process has the session again
     */
    boolean run() throws EscrowException {
        rendezvous = deadline.await(Rendezvous.open(loop, server.table().newListenerSlot(), this::arrived));
        server.succession(this);
        deadline.await(server.session().end());
        back = server.options()
                .escrow
                .copy()
                .onWaiting(waiting -> {})
                .connectTimeout(Duration.ofDays(1))
                .connect();
        back.whenComplete((client, failure) -> comers.add(failure == null ? client : failure));
        while (true) {
            Phase.Span meeting = Phase.MEETING.begin();
            Object comer = nextComer();
            meeting.end(server.connections());
            if (comer instanceof Link next) {
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
                throw new EscrowException(Status.ETIMEDOUT, "another session with the escrow was on all the time");
            }
            return comer;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new EscrowException(Status.ETIMEDOUT, "the handover was interrupted", e);
        }
    }

    private boolean give(Link next) throws EscrowException {
        try (next) {
            next.send(Link.Kind.WELCOME, 0, NOTHING);
            Link.Message answer = next.receive(deadline.left());
            if (answer == null || answer.kind() != Link.Kind.READY) {
                return false;
            }
            begin(next);
            List<Guard> connections = server.guards().stream()
                    .filter(guard -> !staying.containsKey(guard))
                    .toList();
            Waves waves = new Waves(server, deadline, next, connections, this::stay);
            try {
                if (!waves.run()) {
                    return false;
                }
                next.send(Link.Kind.DONE, 0, NOTHING).awaitUninterruptibly();
                return true;
            } finally {
                moved += waves.moved();
                restingNanos += waves.restingNanos();
            }
        } finally {
            end();
        }
    }

    private void stay(Guard guard, String reason) {
        staying.put(guard, reason);
        gone(guard.slot());
    }

    private synchronized void begin(Link next) {
        current = next;
        gone.forEach(slot -> next.write(Link.Kind.GONE, slot.index(), NOTHING));
        next.flush();
    }

    private synchronized void end() {
        current = null;
    }

    /** Tells the next process that a connection has ended, or stays here. */
    synchronized void gone(ChannelSlot slot) {
        gone.add(slot);
        if (current != null) {
            current.send(Link.Kind.GONE, slot.index(), NOTHING);
        }
    }

    private synchronized void arrived(Link next) {
        if (over) {
            next.send(Link.Kind.LATER, 0, NOTHING).addListener(f -> next.close());
        } else {
            comers.add(next);
        }
    }

    private void leave() {
        back.cancel(false);
        rendezvous.close();
    }

    /** Gives the handover up. */
    void abandon() {
        if (back != null) {
            regain();
        } else if (rendezvous != null) {
            rendezvous.remove();
        }
    }

    /** Makes the session again as soon as nobody else has one; sends away who comes until then. */
    private CompletableFuture<Void> regain() {
        synchronized (this) {
            over = true;
        }
        comers.forEach(comer -> {
            if (comer instanceof Link link) {
                arrived(link);
            }
        });
        return server.session().regain(back).thenRun(() -> {
            server.succession(null);
            rendezvous.remove();
            synchronized (this) {
                gone.forEach(ChannelSlot::remove);
            }
        });
    }
}
