package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.Status;
import java.time.Duration;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;

/** Waits until frameworks bind their channels, in whatever order, and warns if they do not. Used by the thread of the start. */
final class HostedBinds {

    private static final Logger logger = HandoverLog.LOGGER;
    private static final long POLL_MILLIS = 100;

    private final Set<Listener> missing;
    private final Duration warning;
    private final BlockingQueue<Listener> asked = new LinkedBlockingQueue<>();
    private final long began = System.nanoTime();
    private int warnings;

    /**
     * Waits for some.
     *
     * @param listeners those that a framework is to bind, which have been offered to it
     * @param warning after which time there is a warning, again and again
     */
    HostedBinds(Collection<Listener> listeners, Duration warning) {
        this.missing = new LinkedHashSet<>(listeners);
        this.warning = warning;
        listeners.forEach(listener ->
                listener.hosted().handler().asked().whenComplete((address, impossible) -> asked.add(listener)));
    }

    /** Returns whether there is one that is not bound yet. */
    boolean areMissing() {
        return !missing.isEmpty();
    }

    /** Returns the next one that is to be bound. */
    Listener next() throws EscrowException {
        try {
            Listener next = asked.poll(POLL_MILLIS, TimeUnit.MILLISECONDS);
            while (next == null) {
                for (Listener listener : missing) {
                    checkOpen(listener.hosted());
                }
                warn();
                next = asked.poll(POLL_MILLIS, TimeUnit.MILLISECONDS);
            }
            missing.remove(next);
            return next;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new EscrowException(Status.ECANCELED, "the start of the server was interrupted", e);
        }
    }

    private static void checkOpen(HostedSocket<?> socket) throws EscrowException {
        if (socket.isClosedUnbound()) {
            EscrowException failure = new EscrowException(
                    Status.EINVAL,
                    "the server channel of listener " + socket.name() + " was closed before it was bound, maybe because"
                            + " the framework's server was closed, or its event loops have ended, or are not epoll's:"
                            + " give it event loop groups with EpollIoHandler (Netty 4.1: EpollEventLoopGroup), also"
                            + " where NIO or io_uring is the framework's default");
            logger.error("{}", failure.text());
            throw failure;
        }
    }

    private void warn() {
        if ((System.nanoTime() - began) / (warnings + 1) < warning.toNanos()) {
            return;
        }
        warnings++;
        for (Listener listener : missing) {
            logger.warn(
                    "it is this server's turn, and listener {} has not been bound for {} s: {}. New connections wait"
                            + " without an answer. See to it that the framework's server is started, that it has the"
                            + " channel factory of the handover transport, also after all other settings, and that its"
                            + " event loops are epoll's; or close the transport",
                    listener.name(),
                    TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - began),
                    listener.hosted().missing());
        }
    }
}
