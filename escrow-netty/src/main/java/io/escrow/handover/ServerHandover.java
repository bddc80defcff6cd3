package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.EscrowClientBuilder;
import io.escrow.handover.connection.Connection;
import io.escrow.handover.connection.ConnectionState;
import io.escrow.internal.Checks;
import io.escrow.internal.EventLoops;
import io.escrow.internal.Futures;
import io.netty.channel.Channel;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

/**
 * Runs a server whose listeners and live connections can move to its next process.
 *
 * <pre>{@code
 * ServerHandover server = ServerHandover.with(EscrowClient.builder().path(path).launch(DaemonLaunch.onDemand()))
 *         .listen("http", serverBootstrap, new InetSocketAddress(8080))
 *         .start()
 *         .join();
 *
 * // on SIGTERM:
 * server.handOver(Duration.ofSeconds(10)).join(); // throws if the server goes on: try again
 * server.drained().join();
 * }</pre>
 *
 * <p>May be used by any thread that is not an event loop of the server.
 */
public final class ServerHandover implements AutoCloseable {

    /** How long it may take to register a channel that was accepted. */
    private static final Duration ARRIVAL = Duration.ofSeconds(1);

    private final HandoverContext context;
    private final StartReport startReport;
    private final CompletableFuture<Void> drained = new CompletableFuture<>();
    /** The last handover in waves that failed, and that another may go on with. */
    private final AtomicReference<WaveHandover> unfinished = new AtomicReference<>();

    /** The handover that is under way, or was the last; {@code null} before the first. */
    private CompletableFuture<HandoverReport> handover;

    private boolean closed;

    ServerHandover(HandoverContext context, StartReport startReport) {
        this.context = context;
        this.startReport = startReport;
    }

    /**
     * Starts to describe a server.
     *
     * @param escrow how to connect to the escrow; copied. The client is made and closed by the server, and made again when
     *     its session is lost, whatever {@link EscrowClientBuilder#reconnect} says
     * @return a builder
     */
    public static ServerHandoverBuilder with(EscrowClientBuilder escrow) {
        return new ServerHandoverBuilder(escrow);
    }

    /**
     * Returns how the server came up.
     *
     * @return what was adopted, bound and refused
     */
    public StartReport startReport() {
        return startReport;
    }

    /**
     * Returns the running listeners and datagram sockets.
     *
     * @return their channels, in the order in which they were described
     */
    public List<Channel> listeners() {
        return context.listeners().stream().map(Listener::channel).toList();
    }

    /**
     * Counts the connections of this process.
     *
     * @return how many are open here
     */
    public int connections() {
        return context.connections().all().size();
    }

    /**
     * Returns whether a connection was taken over, and not accepted by this process. A greeting that a server sends on
     * {@code channelActive} must not be sent again to such a connection.
     *
     * @param channel a connection
     * @return whether it was adopted
     */
    public static boolean isAdopted(Channel channel) {
        Connection connection = Connection.of(channel);
        return connection != null && connection.isAdopted();
    }

    /**
     * Returns whether a connection is just being taken over: its pipeline is built, and an upgrade repeated, but it is
     * not served yet. A handshake that completes now has been completed before, by the process that had the connection.
     *
     * @param channel a connection
     * @return whether what happens to it now has happened before
     */
    public static boolean isRestoring(Channel channel) {
        Connection connection = Connection.of(channel);
        return connection != null && connection.state() == ConnectionState.HELD;
    }

    /**
     * Renews what the escrow knows about a connection, for the case of a crash: asks its {@link
     * io.escrow.handover.protocol.Movable} handlers for their state, on the channel's event loop.
     *
     * @param channel a connection of this server
     * @return a future that is done when the escrow has the state; already done when the server is not crash-safe.
     *     Fails with an {@link EscrowException}. Cancelling it changes nothing but the future
     */
    public CompletableFuture<Void> checkpoint(Channel channel) {
        return Futures.expose(EventLoops.call(channel.eventLoop(), () -> Connection.of(channel))
                .thenCompose(connection ->
                        connection == null ? CompletableFuture.<Void>completedFuture(null) : connection.checkpoint()));
    }

    /**
     * Hands the server over: stops accepting, lets each connection come to rest, and stores listeners and connections in
     * the escrow. Until all of that is acknowledged nothing is given up: when something fails, the server goes on as if
     * nothing had been asked.
     *
     * <p>A server is handed over once. A call while a handover is under way joins it: the deadline of the first call
     * counts. A call after the handover is done gets its report. After one that has failed, a call tries it again; in waves, the next
     * process may have some of the connections by then, and gets the rest. After
     * {@link #close()} there is nothing to hand over any more, and it fails at once.
     *
     * @param deadline how long it may take until every connection that can be moved is at rest and stored
     * @return a future of the report; fails with an {@link EscrowException} when the server goes on, and with {@link
     *     Status#ECANCELED} when it was closed before. When it is done, the next process serves, and only connections that
     *     can't be moved are left here; see {@link #drained()}. Cancelling the future changes nothing but the future: the
     *     handover goes on
     * @throws IllegalArgumentException if the deadline is not positive
     */
    public CompletableFuture<HandoverReport> handOver(Duration deadline) {
        return Futures.expose(handOver(new Deadline(Checks.positive("deadline of a handover", deadline))));
    }

    /** Hands the server over, with a deadline that a test may let come. */
    synchronized CompletableFuture<HandoverReport> handOver(Deadline deadline) {
        if (handover == null || handover.isCompletedExceptionally()) {
            if (closed) {
                return CompletableFuture.failedFuture(
                        new EscrowException(Status.ECANCELED, "the server was closed: there is nothing to hand over"));
            }
            try {
                handover = HandoverTask.handOver(context, deadline, drained, unfinished);
            } catch (Throwable e) {
                return CompletableFuture.failedFuture(e);
            }
        }
        return handover;
    }

    /**
     * Returns when the connections that could not be moved have ended.
     *
     * @return a future that is done after a handover, when none is left here; at the latest when the time set with {@link
     *     ServerHandoverBuilder#drain} has passed. Cancelling it changes nothing but the future
     */
    public CompletableFuture<Void> drained() {
        return drained.copy();
    }

    /**
     * Stops the server without handing it over: closes listeners and connections, and frees their slots. A handover that is
     * under way is waited for first, at most until shortly after its deadline: if it succeeds, only what stays here is
     * closed; if it fails, everything is. Must not be called by a {@link HandoverObserver}.
     */
    @Override
    public void close() {
        CompletableFuture<HandoverReport> underWay;
        synchronized (this) {
            closed = true;
            RehearsalTime.PROCESS.end();
            underWay = handover;
        }
        if (underWay != null) {
            Futures.awaitEnd(underWay);
        }
        context.listeners().forEach(Listener::close);
        // Those that are on their way to the escrow arrive, and then know that the listeners are closed.
        awaitAnswers();
        EventLoops.settle(context.loops()).join();
        awaitArrivals();
        // A copy: a connection is forgotten before its slot is free.
        List<Connection> open = List.copyOf(context.connections().all());
        open.forEach(connection -> connection.channel().close());
        CompletableFuture.allOf(open.stream().map(Connection::ended).toArray(CompletableFuture[]::new))
                .join();
        // Those that ended by themselves meanwhile.
        EventLoops.settle(context.loops()).join();
        context.listeners().forEach(listener -> listener.slot().remove());
        context.crashStore().removeMarks();
        context.tickets().end();
        context.tickets().remove();
        context.table().removed().join();
        context.session().end().join();
        context.crashStore().close();
        context.seal().sealer().destroy();
    }

    /** Returns whether the server was closed, or waits for the handover before that. */
    synchronized boolean isClosing() {
        return closed;
    }

    /** Waits until those are served that a listener has let in before it was closed, unless somebody keeps them back. */
    private void awaitArrivals() {
        Deadline deadline = new Deadline(ARRIVAL);
        while (context.connections().arriving() > 0 && !deadline.hasPassed()) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
        }
    }

    /** Waits until everything that was asked of the escrow is answered: answers come in order. */
    private void awaitAnswers() {
        context.client()
                .tag(context.table().listenerTag())
                .handle((info, failure) -> info)
                .join();
    }

    /** Returns the parts of this server, for the tests of this package. */
    HandoverContext context() {
        return context;
    }
}
