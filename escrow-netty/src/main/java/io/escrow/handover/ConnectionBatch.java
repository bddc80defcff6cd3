package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.handover.connection.Connection;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.internal.EventLoops;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/** Takes connections apart that change hands together. Used by the thread of the handover. */
final class ConnectionBatch {

    private record Answer(boolean resting, String whyImmovable) {}

    private final HandoverContext server;
    private final Deadline deadline;
    private final Set<Connection> resting = new LinkedHashSet<>();
    private final Map<Connection, ChannelRecord> apart = new LinkedHashMap<>();
    private final Map<Connection, String> immovable = new HashMap<>();

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

    /** Returns what there is to store of each connection that was taken apart. */
    Map<Connection, ChannelRecord> apart() {
        return apart;
    }

    /** Brings to rest those that can be, and returns those that are busy. */
    List<Connection> ask(Collection<Connection> connections) throws EscrowException {
        List<Connection> busy = new ArrayList<>();
        deadline.await(EventLoops.forEach(connections, Connection::channel, ConnectionBatch::ask))
                .forEach((connection, answer) -> {
                    if (answer.resting()) {
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
        String reason = connection.whyImmovable();
        return new Answer(reason == null && connection.tryToRest(), reason);
    }

    /**
     * Lets those go on that are no longer at rest, and returns them. What a connection does on its own loop may end on
     * the loop of another one: this waits until it has.
     */
    List<Connection> restless() throws EscrowException {
        deadline.await(EventLoops.settle(server.loops()));
        List<Connection> busy = new ArrayList<>();
        deadline.await(EventLoops.forEach(resting, Connection::channel, connection -> {
                    boolean still = !connection.channel().isActive() || connection.isAtRest();
                    if (!still) {
                        connection.goOn();
                    }
                    return still;
                }))
                .forEach((connection, still) -> {
                    if (!still) {
                        busy.add(connection);
                    }
                });
        busy.forEach(resting::remove);
        return busy;
    }

    /** Takes those that are at rest off their loops, and apart. */
    void takeApart() throws EscrowException {
        deadline.await(EventLoops.forEach(
                resting, Connection::channel, connection -> connection.channel().deregister()));
        // Netty does it a little later.
        deadline.await(EventLoops.settle(server.loops()));
        deadline.await(EventLoops.forEach(resting, Connection::channel, Connection::takeApart))
                .forEach((connection, saved) -> {
                    if (saved != null) {
                        apart.put(connection, saved);
                    }
                });
    }

    /** Gives up those that were taken apart: they are another process's. */
    void letGo() {
        server.connections().removeAll(apart.keySet());
        EventLoops.forEach(apart.keySet(), Connection::channel, connection -> {
                    connection.letGo();
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
