package io.escrow.handover;

import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.SlotKey;
import io.escrow.handover.connection.AdoptedConnection;
import io.escrow.handover.connection.CrashedTls;
import io.escrow.handover.connection.FoundMarks;
import io.escrow.handover.connection.PipelineExecutors;
import io.escrow.handover.connection.SocketCookie;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelSlot;
import io.escrow.internal.EventLoops;
import io.escrow.internal.Futures;
import io.netty.channel.Channel;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.io.Serial;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Predicate;

/** Makes live connections of stored ones. Used by the thread of the start. */
final class ConnectionAdopter {

    /** What became of a connection: why it is closed, or when it went on. */
    private record Outcome(Throwable failure, long millis) {}

    /** Is the reason to end a connection that could be restored, or that must not be. */
    private static final class UnwantedException extends RuntimeException {
        @Serial
        private static final long serialVersionUID = 1;

        /** Whether no handler may know of the end: a fresh one would tell the peer something that makes no sense. */
        private final boolean immovable;

        UnwantedException(String message, Throwable cause) {
            super(message, cause);
            this.immovable = false;
        }

        /** Ends a connection whose fresh pipeline is not what it was. */
        UnwantedException(String whyImmovable) {
            this("it was found after a crash, and can't go on in another process: " + whyImmovable, true);
        }

        UnwantedException(String message, boolean immovable) {
            super(message);
            this.immovable = immovable;
        }
    }

    private final HandoverContext server;
    private final StartNotes notes;
    private final FoundMarks marks;
    private final CrashedTls crashedTls;
    private final ConnectionSettler settler;
    /** Slots of connections that were refused. */
    private final Queue<CompletableFuture<Void>> freeing = new ConcurrentLinkedQueue<>();

    private final Set<SlotKey> left = ConcurrentHashMap.newKeySet();
    private final List<Duration> pauses = new ArrayList<>();
    private int adopted;
    private int foundAfterCrash;

    /** Adopts for a server, and notes what can't be adopted. */
    ConnectionAdopter(HandoverContext server, StartNotes notes, FoundMarks marks) {
        this.server = server;
        this.notes = notes;
        this.marks = marks;
        this.crashedTls = new CrashedTls(marks);
        this.settler = new ConnectionSettler(server);
    }

    /** Returns how many connections go on that were handed over. */
    int adopted() {
        return adopted;
    }

    /** Returns how long each of those was at rest of which it is known. */
    List<Duration> pauses() {
        return pauses;
    }

    /** Returns how many connections go on that were found after a crash. */
    int foundAfterCrash() {
        return foundAfterCrash;
    }

    /** Makes a held connection of an entry, as it was stored; of {@code null} when there is none to go on with. */
    CompletableFuture<HeldConnection> assemble(Entry entry) {
        return server.table()
                .read(entry)
                .thenCompose(record -> {
                    HeldConnection assembled = assemble(entry, record, true);
                    return assembled == null
                            ? CompletableFuture.completedFuture(assembled)
                            : assembled.connection().held().thenApply(nothing -> assembled);
                })
                .exceptionally(failure -> {
                    entry.close();
                    leave(entry.key(), Futures.toEscrowException(failure).text());
                    return null;
                });
    }

    /**
     * Makes a connection of an entry and what the process before says, which is held a little later.
     *
     * @return {@code null} when it is refused, or left
     */
    HeldConnection assemble(Entry entry, ChannelRecord record) {
        return assemble(entry, record, false);
    }

    private HeldConnection assemble(Entry entry, ChannelRecord stored, boolean fromSlot) {
        ChannelSlot slot = server.table().slot(entry);
        String reason;
        try {
            Listener listener = server.names().ofConnection(stored.listener());
            if (listener == null) {
                reason = "it came from listener " + stored.listener() + ", and there is none";
                if (!server.names().isDiscarded(stored.listener())) {
                    entry.close();
                    leave(entry.key(), reason);
                    return null;
                }
            } else {
                FileDescriptor descriptor = entry.takeDescriptor();
                ChannelRecord record;
                AdoptedConnection connection;
                try {
                    record = examined(server.seal().open(stored, () -> SocketCookie.of(descriptor)), descriptor);
                    connection = new AdoptedConnection(
                            server.connections(), server.configuration().rules(), record.listener(), slot, record);
                } catch (EscrowException sealed) {
                    descriptor.close();
                    leave(entry.key(), sealed.text());
                    return null;
                } catch (RuntimeException e) {
                    descriptor.close();
                    throw e;
                }
                Channel channel = connection.adopt(
                        listener.channel(),
                        descriptor.intValue(),
                        listener.configuration().source().childOptions());
                if (channel.isActive()) {
                    connection.crashed(record.clean() ? null : marks.whyNotResumable(channel));
                    give(connection, channel, listener.channel());
                    return new HeldConnection(connection, entry.key(), record, fromSlot);
                }
                reason = "its peer has reset it";
            }
        } catch (Throwable e) {
            reason = e.toString();
        }
        entry.close();
        refuse(entry.key(), new IOException(reason));
        freeing.add(slot.free());
        return null;
    }

    private ChannelRecord examined(ChannelRecord record, FileDescriptor descriptor) {
        // Who knows nothing of TLS finds that the connection is immovable.
        return server.configuration().rules().tls() == null ? record : crashedTls.examine(record, descriptor);
    }

    /** Gives a channel to its listener as if it had just been accepted. */
    private static void give(AdoptedConnection connection, Channel channel, Channel listener) {
        try {
            listener.eventLoop().execute(() -> {
                // If a framework has closed it, there is nobody in its pipeline any more.
                if (listener.isOpen()) {
                    listener.pipeline().fireChannelRead(channel);
                    listener.pipeline().fireChannelReadComplete();
                } else {
                    channel.unsafe().closeForcibly();
                }
                connection.given(channel);
            });
        } catch (RejectedExecutionException ended) {
            channel.unsafe().closeForcibly();
            connection.given(channel);
        }
    }

    /**
     * Restores held connections, and lets them go on when all are restored: what one says may be meant for another. A
     * connection that can't be restored is given up here without a word, and its slot is left as it is.
     *
     * @param commit called with the slots of those that can't be restored, at the last moment; returns whether the others
     *     may go on. If not, they are another process's
     * @return whether they go on
     */
    boolean goOn(List<HeldConnection> connections, Predicate<Set<SlotKey>> commit) {
        connections.forEach(each -> each.connection().held().join());
        for (CompletableFuture<Void> refused = freeing.poll(); refused != null; refused = freeing.poll()) {
            Futures.awaitEnd(refused);
        }
        // Handlers that run elsewhere are told first that the channel is active, then their state, and then the rest.
        settleExecutors(connections);
        Map<AdoptedConnection, UnwantedException> unwanted = new LinkedHashMap<>();
        Map<AdoptedConnection, Throwable> failures = restore(connections, unwanted);
        List<HeldConnection> failed = only(connections, each -> failures.containsKey(each.connection()));
        Set<SlotKey> notRestored = new LinkedHashSet<>();
        failed.forEach(each -> notRestored.add(each.slot()));
        boolean committed = commit.test(notRestored);
        letGo(committed ? failed : connections);
        if (!committed) {
            return false;
        }
        failed.forEach(each -> leave(
                each.slot(), Futures.unwrap(failures.get(each.connection())).getMessage()));
        List<HeldConnection> restored = only(connections, each -> !failures.containsKey(each.connection()));
        own(restored);
        settler.settle(restored)
                .forEach(connection -> unwanted.putIfAbsent(
                        connection,
                        new UnwantedException("its TLS keys may still be in the escrow, for another process", true)));
        settleExecutors(restored);
        EventLoops.forEach(
                        restored,
                        HeldConnection::channel,
                        each -> begin(each.connection(), unwanted.get(each.connection())))
                .join()
                .forEach(this::count);
        return true;
    }

    private static List<HeldConnection> only(List<HeldConnection> connections, Predicate<HeldConnection> condition) {
        List<HeldConnection> found = new ArrayList<>(connections.size());
        for (HeldConnection each : connections) {
            if (condition.test(each)) {
                found.add(each);
            }
        }
        return found;
    }

    /** Waits until executors other than the event loops have done what they had to do for some connections. */
    private static void settleExecutors(List<HeldConnection> connections) {
        PipelineExecutors executors =
                PipelineExecutors.all(EventLoops.forEach(registered(connections), HeldConnection::channel, each -> {
                            PipelineExecutors some = each.connection().executors();
                            return some.isEmpty() ? null : some;
                        })
                        .join()
                        .values());
        if (!executors.isEmpty()) {
            EventLoops.settle(executors.foreign(), executors.turns())
                    .exceptionally(shutDown -> null)
                    .join();
        }
    }

    /** Returns those that have a pipeline: one that its listener has not let in has none. */
    private static List<HeldConnection> registered(List<HeldConnection> connections) {
        return only(connections, each -> each.connection().isRegistered());
    }

    /** Returns what went wrong with those connections that can't be restored, and adds those that are not wanted. */
    private Map<AdoptedConnection, Throwable> restore(
            List<HeldConnection> connections, Map<AdoptedConnection, UnwantedException> unwanted) {
        Map<AdoptedConnection, Throwable> failures = new LinkedHashMap<>();
        for (HeldConnection each : connections) {
            if (!each.connection().isRegistered()) {
                failures.put(each.connection(), new IOException("the pipeline of its listener has closed the channel"));
            }
        }
        EventLoops.forEach(
                        registered(connections),
                        HeldConnection::channel,
                        each -> restore(each.connection(), each.record().clean()))
                .join()
                .forEach((each, restored) -> {
                    Throwable failure = restored.join();
                    if (failure instanceof UnwantedException reason) {
                        unwanted.put(each.connection(), reason);
                    } else if (failure != null) {
                        failures.put(each.connection(), failure);
                    }
                });
        return failures;
    }

    /**
     * Restores a connection. Called on its event loop.
     *
     * @return {@code null} if it is restored already, or has ended; else a future of why it can't be restored, of {@code null} if it is
     */
    private CompletableFuture<Throwable> restore(AdoptedConnection connection, boolean clean) {
        if (!connection.channel().isActive()) {
            return null;
        }
        if (connection.whyNotBuilt() != null) {
            return CompletableFuture.completedFuture(connection.whyNotBuilt());
        }
        try {
            if (!clean) {
                checkResumable(connection);
                checkWanted(connection.channel());
            }
            CompletableFuture<Void> restoring = connection.restore();
            if (restoring.isDone() && !restoring.isCompletedExceptionally()) {
                return null;
            }
            CompletableFuture<Throwable> restored = new CompletableFuture<>();
            restoring.whenComplete((nothing, failure) -> restored.complete(failure));
            connection.channel().closeFuture().addListener(f -> restored.complete(null));
            return restored;
        } catch (Throwable e) {
            return CompletableFuture.completedFuture(e);
        }
    }

    private static void checkResumable(AdoptedConnection connection) {
        String reason = connection.whyNotResumable();
        if (reason != null) {
            throw new UnwantedException(reason);
        }
    }

    private void checkWanted(Channel channel) {
        boolean wanted;
        try {
            wanted = server.configuration().resumeAfterCrash().test(channel);
        } catch (Throwable e) {
            throw new UnwantedException("the choice whether to resume it after a crash failed: " + e, e);
        }
        if (!wanted) {
            throw new UnwantedException("it is not to be resumed after a crash", null);
        }
    }

    private void letGo(List<HeldConnection> connections) {
        List<AdoptedConnection> registered =
                registered(connections).stream().map(HeldConnection::connection).toList();
        server.connections().removeAll(registered);
        ConnectionBatch.letGo(registered).join();
    }

    private void count(HeldConnection connection, Outcome outcome) {
        if (outcome.failure() != null) {
            refuse(connection.slot(), outcome.failure());
        } else if (connection.record().clean()) {
            adopted++;
            Duration pause = connection.record().restedFor(outcome.millis());
            if (pause != null) {
                pauses.add(pause);
                server.observer().paused(pause);
            }
        } else {
            foundAfterCrash++;
        }
    }

    /** Marks connections here from now on: before the escrow has them as this server's own. */
    private void own(List<HeldConnection> connections) {
        if (server.configuration().crashSafe()) {
            EventLoops.run(
                            connections,
                            HeldConnection::channel,
                            each -> each.connection().own())
                    .join();
        }
    }

    /** Lets a connection go on, or ends it if it can't. Called on its event loop. */
    private static Outcome begin(AdoptedConnection connection, UnwantedException unwanted) {
        Throwable reason = unwanted;
        if (reason == null) {
            try {
                connection.begin();
            } catch (Throwable e) {
                reason = e;
            }
        }
        if (unwanted != null && unwanted.immovable) {
            connection.reset();
        } else if (reason != null) {
            // It can't go on in the middle of something.
            connection.refuse();
        }
        return new Outcome(reason, System.currentTimeMillis());
    }

    /** Waits until the escrow has answered that the connections that go on are this server's. */
    void awaitSettled() {
        settler.await();
    }

    /** Notes a connection that is left as it is. */
    void leave(SlotKey slot, String reason) {
        left.add(slot);
        notes.leave(name(slot) + ": " + reason);
    }

    /** Notes that a connection that was left has gone, or stays with the process before: the escrow has it no more. */
    void gone(int index) {
        left.remove(new SlotKey(server.table().connectionTag(), index));
    }

    /** Returns the slots of the connections that were left as they are. */
    Set<SlotKey> left() {
        return left;
    }

    private void refuse(SlotKey slot, Throwable failure) {
        notes.refuse(name(slot) + ": " + reason(failure));
    }

    private static String reason(Throwable failure) {
        Throwable cause = Futures.unwrap(failure);
        return cause instanceof EscrowException e ? e.text() : cause.getMessage();
    }

    private static String name(SlotKey slot) {
        return "connection " + slot.tag() + "/" + slot.index();
    }
}
