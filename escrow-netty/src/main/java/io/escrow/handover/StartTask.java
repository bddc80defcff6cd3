package io.escrow.handover;

import io.escrow.BulkResult;
import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.escrow.handover.connection.Connection;
import io.escrow.handover.connection.ConnectionState;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelSlot;
import io.escrow.handover.store.UnreadableRecordException;
import io.escrow.handover.store.UnreferencedChunks;
import io.escrow.internal.Futures;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.BiFunction;
import java.util.function.Consumer;

/** Starts a server: adopts what the escrow holds, and inherits or binds what is not there. One use, on a thread of its own. */
final class StartTask {

    private record Stored(Entry entry, ChannelRecord record) {}

    private final HandoverConfiguration configuration;
    private final HandoverContext server;
    private final List<String> adoptedListeners = new ArrayList<>();
    private final List<String> inheritedListeners = new ArrayList<>();
    private final List<String> boundListeners = new ArrayList<>();
    private final List<String> storedNames = new ArrayList<>();
    private final StartNotes notes = new StartNotes();
    private final ConnectionAdopter adopter;
    private final InheritedListeners inherited;
    private UnreferencedChunks chunks;

    private StartTask(HandoverConfiguration configuration) {
        this.configuration = configuration;
        this.server = HandoverContext.of(configuration);
        this.adopter = new ConnectionAdopter(server, notes);
        this.inherited = new InheritedListeners(
                configuration.inherited(), configuration.bindChangedAddress(), HandoverLog.LOGGER);
    }

    /**
     * Starts a server.
     *
     * @param made makes the result of a server that runs
     */
    static <T> CompletableFuture<T> start(
            HandoverConfiguration configuration, BiFunction<HandoverContext, StartReport, T> made) {
        StartFuture<T> started = new StartFuture<>();
        start(configuration, made, started);
        return started;
    }

    private static <T> void start(
            HandoverConfiguration configuration,
            BiFunction<HandoverContext, StartReport, T> made,
            StartFuture<T> started) {
        PreloadedClasses.begin();
        Phase.Span connecting = Phase.CONNECTING.begin();
        CompletableFuture<EscrowClient> turn = configuration.escrow().awaitTurn();
        started.waitsFor(turn);
        turn.whenComplete((client, failure) -> {
            if (failure != null) {
                if (!turn.isCancelled()) {
                    started.completeExceptionally(Futures.toEscrowException(failure));
                }
                return;
            }
            connecting.end(0);
            try {
                StartTask task = new StartTask(configuration);
                new Thread(() -> task.start(client, made, started), "escrow-start").start();
            } catch (Throwable e) {
                // There is no thread for it, for instance.
                client.close();
                started.completeExceptionally(Futures.toEscrowException(e));
            }
        });
    }

    private <T> void start(
            EscrowClient client, BiFunction<HandoverContext, StartReport, T> made, StartFuture<T> started) {
        try {
            StartReport report = run(client);
            if (report == null) {
                // The running server has its session back first.
                server.session().end().join();
                start(configuration, made, started);
            } else {
                PreloadedClasses.await();
                started.complete(made.apply(server, report));
            }
        } catch (Throwable e) {
            EscrowException failure = Futures.toEscrowException(e);
            try {
                abandon();
            } catch (Throwable notAbandoned) {
                failure.addSuppressed(notAbandoned);
            } finally {
                started.completeExceptionally(failure);
            }
        }
    }

    /** Returns how the server came up; {@code null} if the process before goes on. */
    private StartReport run(EscrowClient client) throws EscrowException {
        final long began = System.nanoTime();
        server.observer().queued(client.queued());
        server.session().begin(client).join();
        chunks = UnreferencedChunks.find(server.table()).join();
        Map<String, Stored> stored = storedListeners();
        Stored meetingPoint = stored.remove(ChannelRecord.RENDEZVOUS);
        storedNames.addAll(stored.keySet());
        try (WaveReceiver before = meetingPoint == null
                ? null
                : WaveReceiver.meet(
                        configuration.listeners().get(0).group().next(),
                        meetingPoint.entry().takeDescriptor().intValue())) {
            if (before != null && !before.isWelcome()) {
                stored.values().forEach(held -> held.entry().close());
                return null;
            }
            startListeners(stored);
            // From here on the start can't fail any more: what goes wrong is noted in the report.
            if (before == null) {
                adoptConnections();
                ownListeners();
                accept();
            } else {
                accept();
                adoptInWaves(before);
                // Not before: if this process dies meanwhile, the one behind it needs them.
                ownListeners();
            }
        }
        if (meetingPoint != null) {
            ignoreFailure(server.table().discard(meetingPoint.entry().key()));
        }
        freeChunks();
        StartReport report = new StartReport(
                adoptedListeners,
                inheritedListeners,
                boundListeners,
                adopter.adopted(),
                adopter.foundAfterCrash(),
                notes.refused(),
                notes.left(),
                Duration.ofNanos(System.nanoTime() - began),
                Pauses.of(adopter.pauses()));
        server.observer().started(report);
        return report;
    }

    private void accept() {
        server.listeners().forEach(listener -> listener.channel().config().setAutoRead(true));
    }

    /** Takes the listeners out of the escrow, unless they are to outlive a crash of this process. */
    private void ownListeners() {
        if (!configuration.crashSafe()) {
            server.listeners().forEach(listener -> ignoreFailure(listener.slot().remove()));
        }
    }

    /** Lets go of everything, so that the escrow is as it was. */
    private void abandon() {
        for (Listener listener : server.listeners()) {
            if (!adoptedListeners.contains(listener.name()) && listener.slot() != null) {
                ignoreFailure(listener.slot().remove());
            }
            listener.abandon();
        }
        List<Connection> held = server.connections().all().stream()
                .filter(connection -> connection.state() == ConnectionState.HELD)
                .toList();
        server.connections().removeAll(held);
        ConnectionBatch.letGo(held);
        server.session().end();
    }

    private void startListeners(Map<String, Stored> stored) throws EscrowException {
        Phase.Span phase = Phase.LISTENING.begin();
        List<ChannelSlot> useless = new ArrayList<>();
        try {
            for (Listener listener : server.listeners()) {
                Stored held = stored.remove(listener.name());
                if (held == null) {
                    open(listener);
                } else {
                    adopt(listener, held, useless);
                }
                if (!listener.isDatagram()) {
                    listener.channel()
                            .pipeline()
                            .addFirst("escrow-acceptor", new AcceptHandler(server, listener.name()));
                }
            }
            if (configuration.crashSafe()) {
                server.listeners().stream()
                        .map(listener -> listener.store(false))
                        .toList()
                        .forEach(CompletableFuture::join);
            }
            for (Stored left : stored.values()) {
                leaveOrDiscard(left, useless);
            }
            useless.forEach(slot -> ignoreFailure(slot.free()));
            inherited.close();
            phase.end(0);
        } finally {
            stored.values().forEach(left -> left.entry().close());
        }
    }

    private void leaveOrDiscard(Stored unknown, List<ChannelSlot> useless) {
        String name = unknown.record().listener();
        String whyGivenUp = server.names().whyGivenUp(name);
        if (whyGivenUp != null) {
            notes.refuse("listener " + name + ": " + whyGivenUp);
            useless.add(server.table().slot(unknown.entry()));
        } else {
            Entry entry = unknown.entry();
            notes.leave("listener " + name + " in slot " + entry.tag() + "/" + entry.index()
                    + ": this version has none of that name; its clients wait without an answer. If it is not needed"
                    + " any more, discard it: discardListener of the builder, or escrowctl del");
        }
    }

    private Map<String, Stored> storedListeners() {
        List<Entry> entries = new ArrayList<>();
        chunks.getAll(server.table().listenerTag(), entries::add).join();
        Map<String, Stored> stored = new LinkedHashMap<>();
        for (Entry entry : entries) {
            try {
                sort(entry, server.table().read(entry).join(), stored);
            } catch (CompletionException e) {
                if (Futures.unwrap(e) instanceof UnreadableRecordException unreadable) {
                    leaveListener(entry, unreadable.text());
                } else {
                    // The session is lost, most likely: nothing of what was fetched is used.
                    entries.forEach(Entry::close);
                    throw e;
                }
            }
        }
        return stored;
    }

    private void sort(Entry entry, ChannelRecord record, Map<String, Stored> stored) {
        List<String> unknown = record.unknownRequired(section -> false);
        if (!unknown.isEmpty()) {
            leaveListener(
                    entry,
                    "this version does not know the state " + String.join(", ", unknown)
                            + ": a version that does can adopt it");
        } else if (entry.hasDescriptor()) {
            Stored older = stored.put(record.listener(), new Stored(entry, record));
            if (older != null) {
                // The process that has bound it anew has died before it could free the slot of the old one.
                discardListener(older.entry(), "another slot holds a listener of that name");
            }
        } else {
            discardListener(entry, "it has no descriptor");
        }
    }

    private void leaveListener(Entry entry, String reason) {
        entry.close();
        notes.leave("listener in slot " + entry.tag() + "/" + entry.index() + ": " + reason);
    }

    private void discardListener(Entry entry, String reason) {
        entry.close();
        notes.refuse("listener in slot " + entry.tag() + "/" + entry.index() + ": " + reason);
        server.table().discard(entry);
    }

    /** Gets a listener that the escrow does not hold. */
    private void open(Listener listener) throws EscrowException {
        if (inherited.give(listener)) {
            inheritedListeners.add(listener.name());
        } else {
            bind(listener);
            boundListeners.add(listener.name());
        }
        listener.slot(server.table().newListenerSlot());
    }

    private void bind(Listener listener) throws EscrowException {
        try {
            listener.bind();
        } catch (EscrowException e) {
            long inheritedOfGroup = inherited.givenToGroup(listener);
            if (e.status() == Status.EADDRINUSE && inheritedOfGroup > 0) {
                throw new EscrowException(
                        e.status(),
                        e.text() + "; only " + inheritedOfGroup + " of the listeners that share its name have inherited"
                                + " a socket: pass on one for each, or ask for fewer",
                        e);
            }
            if (e.status() != Status.EADDRINUSE || storedNames.isEmpty()) {
                throw e;
            }
            throw new EscrowException(
                    e.status(),
                    e.text() + "; the escrow holds listeners under these names: " + String.join(", ", storedNames)
                            + ": a listener keeps its name from version to version",
                    e);
        }
    }

    private void adopt(Listener listener, Stored held, List<ChannelSlot> useless) throws EscrowException {
        ChannelSlot slot = server.table().slot(held.entry());
        listener.adopt(held.entry().takeDescriptor().intValue());
        if (held.record().has(ChannelRecord.INHERITED)) {
            listener.inherited();
        }
        if (listener.hasAddress()) {
            listener.slot(slot);
            adoptedListeners.add(listener.name());
            return;
        }
        String addresses = listener.addressText();
        listener.abandon();
        if (!configuration.bindChangedAddress()) {
            throw new EscrowException(
                    Status.EINVAL,
                    "listener " + listener.name() + " in the escrow has another address: " + addresses
                            + "; ask to bind a changed address, or use the old one");
        }
        notes.refuse("listener " + listener.name() + ": " + addresses);
        useless.add(slot);
        open(listener);
    }

    /** Adopts all connections before the first goes on: what one says may be meant for another. */
    private void adoptConnections() {
        Phase.Span adopting = Phase.ADOPTING.begin();
        List<CompletableFuture<ConnectionAdopter.Held>> all = new ArrayList<>();
        fetch(entry -> all.add(adopter.assemble(entry)));
        List<ConnectionAdopter.Held> held = new ArrayList<>();
        ProgressTicker ticker = ProgressTicker.follow(
                server.client().eventLoop(), configuration.onProgress(), Progress.Step.ADOPTING, all);
        try {
            for (CompletableFuture<ConnectionAdopter.Held> assembled : all) {
                ConnectionAdopter.Held connection = assembled.join();
                if (connection != null) {
                    held.add(connection);
                }
            }
        } finally {
            ticker.stop();
        }
        adopting.end(held.size());
        Phase.Span resuming = Phase.RESUMING.begin();
        adopter.goOn(held, notRestored -> true);
        resuming.end(held.size());
    }

    private void adoptInWaves(WaveReceiver before) {
        Map<Integer, Entry> entries = new HashMap<>();
        fetch(entry -> entries.put(entry.index(), entry));
        if (!before.takeAll(server, adopter, notes, entries)) {
            notes.leave("the rest of the connections: the process before goes on with them");
        }
    }

    private void fetch(Consumer<Entry> sink) {
        try {
            BulkResult fetched =
                    chunks.getAll(server.table().connectionTag(), sink).join();
            fetched.failures().forEach((slot, failure) -> {
                notes.leave("connection " + slot.tag() + "/" + slot.index() + ": " + failure.getMessage());
            });
        } catch (CompletionException e) {
            notes.leave("the rest of the connections: " + Futures.unwrap(e).getMessage());
        }
    }

    /** Frees what processes have left that died while they stored a long record. */
    private void freeChunks() {
        int freed = chunks.free().exceptionally(failure -> 0).join();
        if (freed > 0) {
            HandoverLog.LOGGER.info("freed {} slots with parts of records that were not complete", freed);
        }
    }

    private static void ignoreFailure(CompletableFuture<Void> request) {
        request.handle((nothing, failure) -> null).join();
    }
}
