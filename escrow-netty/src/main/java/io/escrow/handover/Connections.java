package io.escrow.handover;

import io.escrow.Deposit;
import io.escrow.handover.connection.Connection;
import io.escrow.handover.connection.ConnectionState;
import io.escrow.handover.connection.CrashMarks;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelSlot;
import io.escrow.handover.store.EscrowTable;
import io.escrow.internal.EventLoops;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import java.lang.ref.WeakReference;
import java.util.Collection;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.slf4j.Logger;

/** Keeps the connections of a server, and their slots in the escrow. May be used by any thread. */
final class Connections implements Connection.Owner {

    private static final Logger logger = HandoverLog.LOGGER;

    private final HandoverConfiguration configuration;
    private final EscrowTable table;
    private final CrashMarks marks;
    private final Set<Connection> open = ConcurrentHashMap.newKeySet();
    private final Set<Channel> arriving = ConcurrentHashMap.newKeySet();
    private final Set<EventLoop> loops = ConcurrentHashMap.newKeySet();
    private volatile boolean escrowing;
    private volatile Consumer<ChannelSlot> successor;

    Connections(HandoverConfiguration configuration, EscrowTable table, CrashMarks marks) {
        this.configuration = configuration;
        this.table = table;
        this.marks = marks;
        this.escrowing = configuration.crashSafe();
    }

    /** Returns the open connections. */
    Collection<Connection> all() {
        return open;
    }

    /** Forgets connections that are given up. */
    void removeAll(Collection<? extends Connection> connections) {
        open.removeAll(connections);
    }

    /** Counts the connections that are accepted, but not served yet. */
    int arriving() {
        // A channel without an event loop is closed without a word.
        arriving.removeIf(channel -> !channel.isOpen());
        return arriving.size();
    }

    /** Notes that a channel is accepted. */
    void arriving(Channel channel) {
        arriving.add(channel);
        channel.closeFuture().addListener(f -> arrived(channel));
    }

    /** Notes that a channel that was accepted is served, or closed. */
    void arrived(Channel channel) {
        arriving.remove(channel);
    }

    /** Returns the event loops of the connections, and of those before. */
    Collection<EventLoop> loops() {
        loops.removeIf(EventLoop::isShutdown);
        return loops;
    }

    /** Returns whether new connections are put into the escrow as they come. */
    boolean isEscrowing() {
        return escrowing;
    }

    void setEscrowing(boolean escrowing) {
        this.escrowing = escrowing;
    }

    /** Sets what is called with the slot of each connection that ends; with {@code null}, the slot is freed. */
    void setSuccessor(Consumer<ChannelSlot> successor) {
        this.successor = successor;
    }

    @Override
    public void opened(Connection connection) {
        open.add(connection);
        EventLoop loop = connection.channel().eventLoop();
        if (loops.add(loop)) {
            // Weak: an event loop may outlive many servers.
            WeakReference<Connections> weak = new WeakReference<>(this);
            loop.terminationFuture().addListener(ended -> {
                Connections connections = weak.get();
                if (connections != null) {
                    connections.closeAllOf(loop);
                }
            });
        }
        arrived(connection.channel());
        if (escrowing && !connection.slot().mayBeFilled()) {
            // There was no session when it was accepted; there may be one by now.
            storeForCrash(connection);
        }
    }

    /** Closes what an event loop has left open that has ended; see {@link EventLoops#closeWithLoop}. */
    private void closeAllOf(EventLoop loop) {
        for (Connection connection : open) {
            if (connection.channel().eventLoop() == loop) {
                connection.loopEnded();
            }
        }
    }

    @Override
    public CompletableFuture<Void> ended(Connection connection) {
        open.remove(connection);
        Consumer<ChannelSlot> next = successor;
        if (next != null) {
            next.accept(connection.slot());
            return CompletableFuture.completedFuture(null);
        }
        return connection.slot().free().exceptionally(failure -> {
            logger.debug("the slot of {} was not freed: {}", connection.channel(), failure.getMessage());
            return null;
        });
    }

    @Override
    public CompletableFuture<Void> checkpoint(Connection connection) {
        return EventLoops.call(connection.channel().eventLoop(), () -> {
                    boolean useful = configuration.crashSafe()
                            && connection.state() == ConnectionState.SERVING
                            && connection.channel().isActive();
                    return useful ? storeForCrash(connection) : CompletableFuture.<Void>completedFuture(null);
                })
                .thenCompose(stored -> stored);
    }

    /** Renews what the escrow knows about a connection. Called on its event loop. */
    static CompletableFuture<Void> storeForCrash(Connection connection) {
        if (!connection.channel().isOpen()) {
            return connection.ended();
        }
        return put(connection, connection.crashRecord())
                // When it ends meanwhile, its descriptor is not stored.
                .exceptionallyCompose(failure ->
                        connection.channel().isOpen() ? CompletableFuture.failedFuture(failure) : connection.ended());
    }

    /**
     * Stores a connection. Called on its event loop.
     *
     * @return a future that fails if the connection ends meanwhile; that of its end if it has ended
     */
    static CompletableFuture<Void> put(Connection connection, ChannelRecord record) {
        // The number of its descriptor may be another connection's by now.
        return connection.channel().isOpen()
                ? connection.slot().store(EventLoops.descriptor(connection.channel()), record)
                : connection.ended();
    }

    @Override
    public void store(Connection connection, ChannelRecord record) {
        if (configuration.crashSafe() && connection.channel().isActive()) {
            put(connection, record);
        }
    }

    @Override
    public CrashMarks marks() {
        return marks;
    }

    @Override
    public byte[] farewell(Connection connection) {
        byte[] chosen = configuration.farewells().get(connection.listener());
        if (chosen != null) {
            return chosen;
        }
        byte[] own = connection.protocolFarewell();
        // A farewell that the server has not chosen must not make a handover fail.
        return own.length <= table.client().maxFarewell() ? own : Deposit.NO_BYTES;
    }
}
