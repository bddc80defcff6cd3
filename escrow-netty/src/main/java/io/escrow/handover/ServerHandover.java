package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.escrow.client.EscrowClientBuilder;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs a server whose listeners and live connections can move to its next process.
 *
 * <pre>{@code
 * ServerHandover server = ServerHandover.with(EscrowClient.builder().path(path).create(true))
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

    private final ServerHandoverBuilder options;
    private final Set<Guard> guards = ConcurrentHashMap.newKeySet();
    private final CompletableFuture<Void> drained = new CompletableFuture<>();
    private final AtomicBoolean handingOver = new AtomicBoolean();
    private volatile EscrowClient client;
    private volatile EscrowTable table;
    private volatile StartReport startReport;

    ServerHandover(ServerHandoverBuilder options) {
        this.options = options;
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
        return guard != null && guard.saved() != null;
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
        return guard != null && guard.saved() != null && guard.state() == Guard.State.HELD;
    }

    /**
     * Renews what the escrow knows about a connection, for the case of a crash: asks its {@link Movable} handlers for
     * their state, on the channel's event loop.
     *
     * @param channel a connection of this server
     * @return a future that is done when the escrow has the state; already done when the server is not crash-safe
     */
    public CompletableFuture<Void> checkpoint(Channel channel) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        channel.eventLoop().execute(() -> {
            Guard guard = channel.pipeline().get(Guard.class);
            if (guard == null || guard.place() == null || guard.state() != Guard.State.SERVING) {
                done.complete(null);
                return;
            }
            table.update(guard.place(), Dismantler.checkpoint(guard)).whenComplete((place, failure) -> {
                if (failure == null) {
                    guard.place(place);
                    done.complete(null);
                } else {
                    done.completeExceptionally(failure);
                }
            });
        });
        return done;
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
        for (Listener listener : options.listeners) {
            if (listener.channel() != null) {
                listener.channel().close().awaitUninterruptibly();
            }
            if (listener.place() != null) {
                table.remove(listener.place());
            }
        }
        guards.forEach(guard -> guard.channel().close().awaitUninterruptibly());
        // Answers come in order: when this one is there, the slots are free.
        client.tag(table.listenerTag()).handle((info, failure) -> info).join();
        client.close();
    }

    // For the classes of this package.

    ServerHandoverBuilder options() {
        return options;
    }

    Logger logger() {
        return logger;
    }

    EscrowClient client() {
        return client;
    }

    EscrowTable table() {
        return table;
    }

    void connected(EscrowClient client, EscrowTable table) {
        this.client = client;
        this.table = table;
    }

    void started(StartReport report) {
        startReport = report;
    }

    Set<Guard> guards() {
        return guards;
    }

    CompletableFuture<Void> drainedFuture() {
        return drained;
    }

    /** Takes a connection in, on its event loop. */
    void opened(Guard guard) {
        guards.add(guard);
        if (guard.saved() != null) {
            Starter.settle(this, guard);
        } else if (options.crashSafe) {
            escrow(guard);
        } else {
            guard.release();
        }
    }

    private void escrow(Guard guard) {
        EscrowTable slots = table;
        slots.put(
                        slots.connectionTag(),
                        slots.newConnectionIndex(),
                        Loops.descriptor(guard.channel()),
                        Dismantler.checkpoint(guard))
                .whenComplete((place, failure) -> guard.channel().eventLoop().execute(() -> {
                    if (failure != null) {
                        logger.warn("connection {} is not escrowed: {}", guard.channel(), failure.getMessage());
                    } else if (guard.channel().isActive()) {
                        guard.place(place);
                    } else {
                        slots.remove(place);
                    }
                    if (guard.state() == Guard.State.HELD) {
                        guard.release();
                    }
                }));
    }

    /** Forgets a connection that has ended, on its event loop. */
    void closed(Guard guard) {
        guards.remove(guard);
        EscrowTable.Place place = guard.place();
        if (place != null) {
            guard.place(null);
            table.remove(place).exceptionally(failure -> {
                logger.debug("slot {} was not freed: {}", place, failure.getMessage());
                return null;
            });
        }
    }

    /** Puts a guard before everything else in the pipeline of each connection that a listener accepts. */
    static final class Acceptor extends ChannelInboundHandlerAdapter {
        private final ServerHandover server;
        private final String listener;

        Acceptor(ServerHandover server, String listener) {
            this.server = server;
            this.listener = listener;
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            Channel child = (Channel) msg;
            if (child.pipeline().get(Guard.NAME) == null) {
                child.pipeline().addFirst(Guard.NAME, new Guard(server, listener, null, null));
            }
            ctx.fireChannelRead(msg);
        }
    }
}
