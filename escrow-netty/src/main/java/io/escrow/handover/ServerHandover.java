package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.escrow.client.EscrowClientBuilder;
import io.escrow.handover.store.EscrowTable;
import io.netty.channel.Channel;
import io.netty.util.concurrent.EventExecutor;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs a server whose listeners and live connections can move to its next process.
 *
 * <pre>{@code
 * ServerHandover server = ServerHandover.with(EscrowClient.builder().path(path).launch(DaemonLaunch.onDemand()))
 *         .listen("http", serverBootstrap, new InetSocketAddress(8080))
 *         .start()
 *         .join();
 * ...
 * server.handOver(Duration.ofSeconds(10)).join();
 * }</pre>
 *
 * <p>May be used by any thread that is not an event loop of the server.
 */
public final class ServerHandover implements AutoCloseable {

    private static final Logger logger = LoggerFactory.getLogger(ServerHandover.class);
    private static final byte[] NO_FAREWELL = {};

    private final ServerHandoverBuilder options;
    private final Set<Guard> guards = ConcurrentHashMap.newKeySet();
    private final CompletableFuture<Void> drained = new CompletableFuture<>();
    private final AtomicBoolean handingOver = new AtomicBoolean();
    private final AtomicInteger arriving = new AtomicInteger();
    private final EscrowSession session;
    private volatile boolean escrowing;
    private volatile Succession succession;
    private volatile StartReport startReport;

    ServerHandover(ServerHandoverBuilder options) {
        this.options = options;
        this.session = new EscrowSession(this);
        this.escrowing = options.crashSafe;
    }

    /**
     * Starts to describe a server.
     *
     * @param escrow how to connect to the escrow; the client is made and closed by the server
     * @return a builder
     */
    public static ServerHandoverBuilder with(EscrowClientBuilder escrow) {
        return new ServerHandoverBuilder(escrow);
    }

    /**
     * Tells how the server came up.
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
        return options.listeners.stream().map(Listener::channel).toList();
    }

    /**
     * Counts the connections of this process.
     *
     * @return how many are open here
     */
    public int connections() {
        return guards.size();
    }

    /**
     * Tells whether a connection was taken over, and not accepted by this process. What a server says first, on {@code
     * channelActive}, it must not say again to such a one.
     *
     * @param channel a connection
     * @return whether it was adopted
     */
    public static boolean isAdopted(Channel channel) {
        Guard guard = channel.pipeline().get(Guard.class);
        return guard != null && guard.isAdopted();
    }

    /**
     * Tells whether a connection is just being taken over: its pipeline is built, and an upgrade repeated, but it is
     * not served yet. A handshake that completes now has been completed before, by the process that had the connection.
     *
     * @param channel a connection
     * @return whether what happens to it now has happened before
     */
    public static boolean isRestoring(Channel channel) {
        Guard guard = channel.pipeline().get(Guard.class);
        return guard != null && guard.state() == Guard.State.HELD;
    }

    /**
     * Renews what the escrow knows about a connection, for the case of a crash: asks its {@link Movable} handlers for
     * their state, on the channel's event loop.
     *
     * @param channel a connection of this server
     * @return a future that is done when the escrow has the state; already done when the server is not crash-safe
     */
    public CompletableFuture<Void> checkpoint(Channel channel) {
        return Loops.call(channel.eventLoop(), () -> {
                    Guard guard = channel.pipeline().get(Guard.class);
                    boolean useful = options.crashSafe && guard != null && guard.state() == Guard.State.SERVING;
                    return useful && channel.isActive()
                            ? checkpoint(guard)
                            : CompletableFuture.<Void>completedFuture(null);
                })
                .thenCompose(stored -> stored);
    }

    /** Returns what the server's author, or else the protocol, has for the peer of a connection that nobody claims. */
    byte[] farewell(Guard guard) {
        byte[] chosen = options.farewells.get(guard.listener());
        if (chosen != null || guard.gate() == null) {
            return chosen == null ? NO_FAREWELL : chosen;
        }
        byte[] own = guard.gate().farewell();
        // What nobody has asked for must not make a handover fail.
        return own.length <= client().maxFarewell() ? own : NO_FAREWELL;
    }

    /** Renews what the escrow knows about a connection. Called on its event loop. */
    static CompletableFuture<Void> checkpoint(Guard guard) {
        if (!guard.channel().isOpen()) {
            // The number of its descriptor may be another connection's by now.
            return guard.ended();
        }
        return guard.slot().store(Loops.descriptor(guard.channel()), Dismantler.checkpoint(guard));
    }

    /**
     * Hands the server over: stops accepting, lets each connection come to rest, and stores listeners and connections in
     * the escrow. Until all of that is acknowledged nothing is given up: when something fails, the server goes on as if
     * nothing had been asked.
     *
     * @param deadline how long it may take until every connection that can be moved is at rest and stored
     * @return a future of the report; fails with an {@link EscrowException} when the server goes on. When it is done, the
     *     next process serves, and only connections that can't be moved are left here; see {@link #drained()}
     */
    public CompletableFuture<HandoverReport> handOver(Duration deadline) {
        if (!handingOver.compareAndSet(false, true)) {
            return CompletableFuture.failedFuture(
                    new EscrowException(Status.EINVAL, "a handover is under way, or done, already"));
        }
        return Mover.handOver(this, deadline).whenComplete((report, failure) -> {
            if (failure != null) {
                handingOver.set(false);
            }
        });
    }

    /**
     * Tells when the connections that could not be moved have ended.
     *
     * @return a future that is done after a handover, when none is left here; at the latest when the time set with {@link
     *     ServerHandoverBuilder#drain} has passed
     */
    public CompletableFuture<Void> drained() {
        return drained.copy();
    }

    /** Stops the server without handing it over: closes listeners and connections, and frees their slots. */
    @Override
    public void close() {
        options.listeners.forEach(Listener::close);
        // Those that are on their way to the escrow arrive, and then know that the listeners are closed.
        awaitAnswers();
        Loops.settle(loops()).join();
        guards.forEach(guard -> guard.channel().close());
        CompletableFuture.allOf(guards.stream().map(Guard::ended).toArray(CompletableFuture[]::new))
                .join();
        options.listeners.forEach(listener -> listener.slot().remove());
        awaitAnswers();
        session.end().join();
    }

    /** Waits until everything that was asked of the escrow is answered: answers come in order. */
    private void awaitAnswers() {
        client().tag(table().listenerTag()).handle((info, failure) -> info).join();
    }

    /** Returns the event loops of the listeners and of what they accept. */
    Set<EventExecutor> loops() {
        Set<EventExecutor> loops = new HashSet<>();
        for (Listener listener : options.listeners) {
            loops.add(listener.channel().eventLoop());
            listener.childLoops().forEach(loops::add);
        }
        return loops;
    }

    // For the classes of this package.

    ServerHandoverBuilder options() {
        return options;
    }

    Logger logger() {
        return logger;
    }

    HandoverObserver observer() {
        return options.observer;
    }

    EscrowSession session() {
        return session;
    }

    EscrowClient client() {
        return session.client();
    }

    EscrowTable table() {
        return session.table();
    }

    /** Sets whether new connections are put into the escrow as they come. */
    void escrowing(boolean escrowing) {
        this.escrowing = escrowing;
    }

    /** Sets who is to know which connections end; {@code null} for nobody. */
    void succession(Succession succession) {
        this.succession = succession;
    }

    void started(StartReport report) {
        startReport = report;
        observer().started(report);
    }

    Set<Guard> guards() {
        return guards;
    }

    CompletableFuture<Void> drainedFuture() {
        return drained;
    }

    /** Counts the connections that are accepted, but not served yet. */
    int arriving() {
        return arriving.get();
    }

    /** Returns whether new connections are put into the escrow as they come. */
    boolean escrowing() {
        return escrowing;
    }

    void arriving(int change) {
        arriving.addAndGet(change);
    }

    /** Takes a connection in, on its event loop. */
    void opened(Guard guard) {
        guards.add(guard);
        if (escrowing && !guard.slot().mayBeFilled()) {
            // There was no session when it was accepted; there may be one by now.
            checkpoint(guard);
        }
    }

    /** Forgets a connection that has ended, on its event loop. */
    CompletableFuture<Void> closed(Guard guard) {
        guards.remove(guard);
        Succession next = succession;
        if (next != null) {
            next.gone(guard.slot());
            return CompletableFuture.completedFuture(null);
        }
        return guard.slot().remove().exceptionally(failure -> {
            logger.debug("the slot of {} was not freed: {}", guard.channel(), failure.getMessage());
            return null;
        });
    }
}
