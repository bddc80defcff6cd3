package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.handover.connection.Connection;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.internal.EventLoops;
import io.escrow.internal.Futures;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;

/** Takes connections apart that change hands together. Used by the thread of the handover. */
final class ConnectionBatch {

    /** What an event loop says of a connection; {@code failure} is what its handlers threw when they were asked. */
    private record Answer(boolean resting, String whyImmovable, Throwable failure) {}

    private record Apart(ChannelRecord saved, Throwable failure) {}

    private static final Logger logger = HandoverLog.LOGGER;

    private final HandoverContext server;
    private final Deadline deadline;
    private final Set<Connection> resting = new LinkedHashSet<>();
    private final Map<Connection, ChannelRecord> apart = new LinkedHashMap<>();
    private final Map<Connection, String> immovable = new HashMap<>();
    private final Map<Connection, Throwable> failed = new LinkedHashMap<>();

    ConnectionBatch(HandoverContext server, Deadline deadline) {
        this.server = server;
        this.deadline = deadline;
    }

    Deadline deadline() {
        return deadline;
    }

    /** Returns how many connections are at rest. */
    int resting() {
        return resting.size();
    }

    /** Returns the connections that can't be moved, with the reasons. */
    Map<Connection, String> immovable() {
        return immovable;
    }

    /** Returns the connections whose handlers failed when they were asked, with what they threw. */
    Map<Connection, Throwable> failed() {
        return failed;
    }

    /** Throws what the handlers of a connection threw, if any did. */
    void checkNoneFailed() throws EscrowException {
        for (Throwable failure : failed.values()) {
            throw Futures.toEscrowException(failure);
        }
    }

    /** Returns what there is to store of each connection that was taken apart. */
    Map<Connection, ChannelRecord> apart() {
        return apart;
    }

    /** Brings to rest those that can be, and returns those that are busy. */
    List<Connection> ask(Collection<Connection> connections) throws EscrowException {
        List<Connection> busy = new ArrayList<>();
        deadline.await(EventLoops.forEach(connections, Connection::channel, ConnectionBatch::ask))
                .forEach((connection, answer) -> {
                    if (answer.failure() != null) {
                        failed.put(connection, answer.failure());
                    } else if (answer.resting()) {
                        resting.add(connection);
                    } else if (answer.whyImmovable() != null) {
                        immovable.put(connection, answer.whyImmovable());
                    } else if (connection.channel().isActive()) {
                        busy.add(connection);
                    }
                });
        return busy;
    }

    private static Answer ask(Connection connection) {
        try {
            String reason = connection.whyImmovable();
            return new Answer(reason == null && connection.tryToRest(), reason, null);
        } catch (Throwable e) {
            return new Answer(false, null, e);
        }
    }

    /**
     * Lets those go on that are no longer at rest, and returns them. What a connection does on its own loop may end on
     * the loop of another one: this waits until it has.
     */
    List<Connection> restless() throws EscrowException {
        deadline.await(EventLoops.settle(server.loops()));
        List<Connection> busy = new ArrayList<>();
        deadline.await(EventLoops.forEach(resting, Connection::channel, ConnectionBatch::askAgain))
                .forEach((connection, answer) -> {
                    if (answer.failure() != null) {
                        failed.put(connection, answer.failure());
                    } else if (!answer.resting()) {
                        busy.add(connection);
                    }
                });
        busy.forEach(resting::remove);
        failed.keySet().forEach(resting::remove);
        return busy;
    }

    private static Answer askAgain(Connection connection) {
        try {
            boolean still = !connection.channel().isActive() || connection.isAtRest();
            if (!still) {
                connection.goOn();
            }
            return new Answer(still, null, null);
        } catch (Throwable e) {
            return new Answer(false, null, e);
        }
    }

    /** Takes those that are at rest off their loops, and apart. */
    void takeApart() throws EscrowException {
        deadline.await(EventLoops.forEach(
                resting, Connection::channel, connection -> connection.channel().deregister()));
        // Netty does it a little later.
        deadline.await(EventLoops.settle(server.loops()));
        deadline.await(EventLoops.forEach(resting, Connection::channel, ConnectionBatch::takeApart))
                .forEach((connection, taken) -> {
                    if (taken.failure() != null) {
                        failed.put(connection, taken.failure());
                    } else if (taken.saved() != null) {
                        apart.put(connection, taken.saved());
                    }
                });
    }

    private static Apart takeApart(Connection connection) {
        try {
            return new Apart(connection.takeApart(), null);
        } catch (Throwable e) {
            return new Apart(null, e);
        }
    }

    /** Gives up those that were taken apart: they are another process's. */
    void letGo() {
        server.connections().removeAll(apart.keySet());
        letGo(apart.keySet());
    }

    /** Gives connections up that are another process's. What goes wrong with one changes nothing for the others. */
    static void letGo(Collection<Connection> connections) {
        EventLoops.forEach(connections, Connection::channel, connection -> {
                    try {
                        connection.letGo();
                    } catch (Throwable e) {
                        logger.warn(
                                "{} is another process's, and was closed here: {}", connection.channel(), e.toString());
                        connection.channel().unsafe().closeForcibly();
                    }
                    return null;
                })
                .join();
    }

    /** Serves again, as if nothing had been asked. */
    static CompletableFuture<Void> comeBack(Collection<Connection> connections) {
        return CompletableFuture.allOf(connections.stream()
                .map(connection -> EventLoops.call(connection.channel().eventLoop(), connection::comeBack)
                        .thenCompose(done -> done))
                .toArray(CompletableFuture[]::new));
    }
}
