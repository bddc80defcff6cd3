package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.handover.connection.Connection;
import io.escrow.handover.connection.PipelineExecutors;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.internal.EventLoops;
import io.escrow.internal.Futures;
import io.netty.util.concurrent.EventExecutor;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;
import org.slf4j.Logger;

/** Takes connections apart that change hands together. Used by the thread of the handover. */
final class ConnectionBatch {

    /** What an event loop says of a connection; {@code failure} is what its handlers threw when they were asked. */
    private record Answer(PipelineExecutors resting, String whyImmovable, String whyBusy, Throwable failure) {
        static Answer failed(Throwable failure) {
            return new Answer(null, null, null, failure);
        }

        static Answer busy(String why) {
            return new Answer(null, null, why, null);
        }
    }

    private record Apart(ChannelRecord saved, Throwable failure) {}

    /**
     * Connections at rest that share executors, which may still have something to do for them.
     *
     * @param settled done when the executors have done it; {@code false} if one was shut down
     * @param since when they were parked, by {@link System#nanoTime}
     */
    record Parked(List<Connection> connections, CompletableFuture<Boolean> settled, long since) {}

    private static final Logger logger = HandoverLog.LOGGER;
    private static final String REMEDY = ": allow more time, or move in waves, which drain those that stay";
    private static final String REMEDY_IN_WAVES = ": allow more time; no process took over in waves, because none was"
            + " waiting, or none that could, so all connections had to move at once";

    private final HandoverContext server;
    private final Deadline deadline;

    /** Those at rest, with the executors that may still have something to do for them. */
    private final Map<Connection, PipelineExecutors> resting = new LinkedHashMap<>();

    private final Map<Connection, ChannelRecord> apart = new LinkedHashMap<>();
    private final Map<Connection, String> immovable = new HashMap<>();
    private final Map<Connection, Throwable> failed = new LinkedHashMap<>();
    private Throwable firstFailure;
    private int kept;
    private long parkedNanos;
    private String late = "the handover was not done in time";

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

    /**
     * Lets the connections go on whose handlers threw something, and takes them out of the batch.
     *
     * @param onStaying called with each of them, and the reason
     */
    void keepFailed(BiConsumer<Connection, String> onStaying) {
        comeBack(failed.keySet()).exceptionally(e -> null).join();
        failed.forEach((connection, failure) -> {
            firstFailure = firstFailure == null ? failure : firstFailure;
            onStaying.accept(connection, whyFailed(failure));
        });
        kept += failed.size();
        failed.clear();
    }

    /** Returns what is to be said of a connection whose handlers threw something. */
    static String whyFailed(Throwable failure) {
        return "its handlers failed: " + failure;
    }

    /**
     * Throws what handlers threw, if those of more connections did than were taken apart: then it is the program that is bad,
     * and not a connection.
     */
    void checkMostApart() throws EscrowException {
        if (kept > apart.size()) {
            throw Futures.toEscrowException(firstFailure);
        }
    }

    /** Returns what there is to store of each connection that was taken apart. */
    Map<Connection, ChannelRecord> apart() {
        return apart;
    }

    /** Brings to rest those that can be, and returns those that are busy, with the reasons. */
    Map<Connection, String> ask(Collection<Connection> connections) throws EscrowException {
        Map<Connection, String> busy = new LinkedHashMap<>();
        deadline.await(EventLoops.forEach(connections, Connection::channel, ConnectionBatch::ask), () -> late)
                .forEach((connection, answer) -> {
                    if (answer.failure() != null) {
                        failed.put(connection, answer.failure());
                    } else if (answer.resting() != null) {
                        resting.put(connection, answer.resting());
                    } else if (!connection.channel().isActive()) {
                        // Ended meanwhile: handlers that have left its pipeline say nothing of it.
                        logger.debug("{} has ended", connection.channel());
                    } else if (answer.whyImmovable() != null) {
                        immovable.put(connection, answer.whyImmovable());
                    } else {
                        busy.put(connection, answer.whyBusy());
                    }
                });
        return busy;
    }

    /** Returns what is to be said if the time is up while some are busy. */
    String late(Map<Connection, String> busy) {
        Map.Entry<Connection, String> first = busy.entrySet().iterator().next();
        late = busy.size() + " of " + (busy.size() + resting())
                + " connections did not come to rest in time, one of them "
                + first.getKey().channel() + ", because " + first.getValue() + remedy();
        return late;
    }

    private String remedy() {
        return server.configuration().wave() == null ? REMEDY : REMEDY_IN_WAVES;
    }

    private static Answer ask(Connection connection) {
        try {
            String reason = connection.whyImmovable();
            if (reason != null) {
                // It may have been asked before, when nothing was known against it.
                connection.goOn();
                return new Answer(null, reason, null, null);
            }
            return connection.tryToRest()
                    ? new Answer(connection.restingExecutors(), null, null, null)
                    : Answer.busy(connection.whyBusy());
        } catch (Throwable e) {
            return Answer.failed(e);
        }
    }

    /**
     * Takes those out of the batch of which an executor other than the event loops may still have something to do. They
     * stay at rest, and can be taken back when it has done that.
     */
    List<Parked> park() {
        Map<PipelineExecutors, List<Connection>> byExecutors = new LinkedHashMap<>();
        resting.forEach((connection, executors) -> {
            if (!executors.isEmpty()) {
                byExecutors.computeIfAbsent(executors, e -> new ArrayList<>()).add(connection);
            }
        });
        List<Parked> parked = new ArrayList<>();
        byExecutors.forEach((executors, connections) -> {
            resting.keySet().removeAll(connections);
            parked.add(new Parked(connections, settle(executors), System.nanoTime()));
        });
        return parked;
    }

    /** Takes connections into the batch that were parked, and of which the executors have done everything. */
    void takeBack(Parked parked) {
        parked.connections().forEach(connection -> resting.put(connection, PipelineExecutors.NONE));
        parkedNanos = Math.max(parkedNanos, System.nanoTime() - parked.since());
    }

    /** Returns how long the connections had been parked that were taken back, in nanoseconds. */
    long parkedNanos() {
        return parkedNanos;
    }

    /**
     * Lets those go on that are no longer at rest, and returns them, with the reasons. What a connection does on its own
     * loop may end on the loop of another one, or on an executor of its pipeline: this waits until it has.
     */
    Map<Connection, String> restless() throws EscrowException {
        PipelineExecutors executors = PipelineExecutors.all(resting.values());
        boolean settled = deadline.await(settle(executors), () -> whyNotSettled());
        Map<Connection, String> busy = new LinkedHashMap<>();
        deadline.await(EventLoops.forEach(resting.keySet(), Connection::channel, connection -> {
                    boolean known = settled || resting.get(connection).isEmpty();
                    return askAgain(connection, known);
                }))
                .forEach((connection, answer) -> {
                    if (answer.failure() != null) {
                        failed.put(connection, answer.failure());
                    } else if (answer.whyBusy() != null) {
                        busy.put(connection, answer.whyBusy());
                    }
                });
        resting.keySet().removeAll(busy.keySet());
        resting.keySet().removeAll(failed.keySet());
        return busy;
    }

    /** Returns {@code null} if the connection is at rest. */
    private static Answer askAgain(Connection connection, boolean settled) {
        try {
            if (!settled) {
                connection.goOn();
                return Answer.busy("an executor of its pipeline was shut down");
            }
            return connection.remainsAtRest() ? null : Answer.busy(connection.whyBusy());
        } catch (Throwable e) {
            return Answer.failed(e);
        }
    }

    /**
     * Waits until event loops and executors have done what was under way.
     *
     * @return a future of whether they have; it is not known of an executor that was shut down
     */
    private CompletableFuture<Boolean> settle(PipelineExecutors executors) {
        if (executors.isEmpty()) {
            return EventLoops.settle(server.loops()).thenApply(nothing -> true);
        }
        Set<EventExecutor> all = new HashSet<>(server.loops());
        all.addAll(executors.foreign());
        return EventLoops.settle(all, executors.turns()).handle((nothing, failure) -> failure == null);
    }

    private String whyNotSettled() {
        for (Map.Entry<Connection, PipelineExecutors> e : resting.entrySet()) {
            if (!e.getValue().isEmpty()) {
                return resting.size() + " connections did not come to rest in time: " + whyNotSettled(e.getKey())
                        + ", one of them is " + e.getKey().channel() + remedy();
            }
        }
        return "the event loops did not finish in time what they had to do";
    }

    /** Returns what is to be said of a connection whose executors are not done with it. */
    static String whyNotSettled(Connection connection) {
        return "the executor of handler " + PipelineExecutors.foreignHandler(connection.channel())
                + " has not finished what was handed to it";
    }

    /** Takes those that are at rest off their loops, and apart. */
    void takeApart() throws EscrowException {
        deadline.await(EventLoops.run(
                resting.keySet(),
                Connection::channel,
                connection -> connection.channel().deregister()));
        // Netty does it a little later.
        deadline.await(EventLoops.settle(server.loops()));
        deadline.await(EventLoops.forEach(resting.keySet(), Connection::channel, ConnectionBatch::takeApart))
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

    /**
     * Gives up those that were taken apart: they are another process's.
     *
     * @return a future that is done when they are closed here; it does not fail
     */
    CompletableFuture<Void> letGo() {
        server.connections().removeAll(apart.keySet());
        return letGo(apart.keySet());
    }

    /** Gives connections up that are another process's. What goes wrong with one changes nothing for the others. */
    static CompletableFuture<Void> letGo(Collection<? extends Connection> connections) {
        return EventLoops.run(connections, Connection::channel, connection -> {
                    try {
                        connection.letGo();
                    } catch (Throwable e) {
                        logger.warn(
                                "{} is another process's, and was closed here: {}", connection.channel(), e.toString());
                        connection.channel().unsafe().closeForcibly();
                    }
                })
                .handle((all, shutDown) -> {
                    connections.stream()
                            .map(Connection::channel)
                            .filter(channel -> channel.eventLoop().isShutdown())
                            .forEach(EventLoops::closeWithLoop);
                    return null;
                });
    }

    /** Serves again, as if nothing had been asked. */
    static CompletableFuture<Void> comeBack(Collection<Connection> connections) {
        return CompletableFuture.allOf(connections.stream()
                .map(connection -> EventLoops.call(connection.channel().eventLoop(), connection::comeBack)
                        .thenCompose(done -> done))
                .toArray(CompletableFuture[]::new));
    }
}
