package io.escrow.handover;

import io.escrow.BulkResult;
import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.escrow.handover.connection.Connection;
import io.escrow.handover.connection.ConnectionState;
import io.escrow.handover.connection.FoundMarks;
import io.escrow.handover.store.UnreferencedChunks;
import io.escrow.internal.Futures;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;
import java.util.function.Consumer;

/** Starts a server: adopts what the escrow holds, and inherits or binds what is not there. One use, on a thread of its own. */
final class StartTask {

    /** How often a start tries again whose address is in use by the process that it has waited for. */
    private static final int ADDRESS_ATTEMPTS = 10;

    private static final long RETRY_MILLIS = 1_000;

    /** Who has the session sooner has hardly waited for another process. */
    static final Duration WAITED = Duration.ofMillis(100);

    private final HandoverConfiguration configuration;
    private final HandoverContext server;
    private final StartNotes notes = new StartNotes();
    private final FoundMarks marks = new FoundMarks();
    private final ConnectionAdopter adopter;
    private final ListenerStarter listeners;
    private UnreferencedChunks chunks;
    /** Whether the process before goes on with connections, or it is not known what the escrow has. */
    private boolean restLeft;

    private StartTask(HandoverConfiguration configuration) throws EscrowException {
        this.configuration = configuration;
        this.server = HandoverContext.of(configuration);
        this.adopter = new ConnectionAdopter(server, notes, marks);
        this.listeners = new ListenerStarter(server, notes, marks);
    }

    /**
     * Starts a server.
     *
     * @param made makes the result of a server that runs
     */
    static <T> CompletableFuture<T> start(
            HandoverConfiguration configuration, BiFunction<HandoverContext, StartReport, T> made) {
        StartFuture<T> started = new StartFuture<>();
        start(configuration, made, started, 1);
        return started;
    }

    private static <T> void start(
            HandoverConfiguration configuration,
            BiFunction<HandoverContext, StartReport, T> made,
            StartFuture<T> started,
            int attempt) {
        try {
            // A wrong key is known before anybody waits.
            configuration.rules().seal().sealer().reload();
        } catch (EscrowException e) {
            started.completeExceptionally(e);
            return;
        }
        PreloadedClasses.begin();
        if (configuration.rehearsal()) {
            Rehearsal.begin(RehearsalTime.PROCESS, RehearsalKind.of(configuration));
        }
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
            RehearsalTime.PROCESS.turnCame();
            try {
                StartTask task = new StartTask(configuration);
                new Thread(() -> task.start(client, made, started, attempt), "escrow-start").start();
            } catch (Throwable e) {
                // There is no thread for it, for instance.
                RehearsalTime.PROCESS.started();
                client.close();
                started.completeExceptionally(Futures.toEscrowException(e));
            }
        });
    }

    private <T> void start(
            EscrowClient client,
            BiFunction<HandoverContext, StartReport, T> made,
            StartFuture<T> started,
            int attempt) {
        try (marks) {
            StartReport report = run(client);
            if (report == null) {
                // The running server has its session back first.
                server.session().end().join();
                server.crashStore().close();
                start(configuration, made, started, attempt);
            } else {
                PreloadedClasses.await();
                started.complete(made.apply(server, report));
            }
        } catch (Throwable e) {
            EscrowException failure = Futures.toEscrowException(e);
            boolean again = attempt < ADDRESS_ATTEMPTS && isServedStill(client, failure);
            try {
                tellFrameworks(failure);
                abandon();
            } catch (Throwable notAbandoned) {
                failure.addSuppressed(notAbandoned);
                again = false;
            }
            if (again) {
                HandoverLog.LOGGER.warn(
                        "the escrow in which the turn has come is empty, and the process before still serves: waiting for it again,"
                                + " {} of {}: {}",
                        attempt,
                        ADDRESS_ATTEMPTS,
                        failure.getMessage());
                CompletableFuture.delayedExecutor(RETRY_MILLIS, TimeUnit.MILLISECONDS)
                        .execute(() -> start(configuration, made, started, attempt + 1));
            } else {
                started.completeExceptionally(failure);
            }
        } finally {
            RehearsalTime.PROCESS.started();
        }
    }

    /**
     * Returns whether the process that this one has waited for serves on: the daemon has died in the meantime, and a new one has
     * nothing of what the other had.
     */
    private boolean isServedStill(EscrowClient client, EscrowException failure) {
        return failure.status() == Status.EADDRINUSE
                && client.queued().compareTo(WAITED) > 0
                && listeners.hasFoundNothing()
                && server.listeners().stream().allMatch(listener -> listener.hosted() == null);
    }

    /** Returns how the server came up; {@code null} if the process before goes on. */
    private StartReport run(EscrowClient client) throws EscrowException {
        final long began = System.nanoTime();
        server.observer().queued(client.queued());
        // The process before may have sealed with a key that has come meanwhile.
        server.seal().sealer().reload();
        server.session().begin(client).join();
        chunks = UnreferencedChunks.find(server.table()).join();
        Entry meetingPoint = listeners.fetch(chunks);
        try (WaveReceiver before = meet(client, meetingPoint)) {
            if (before != null && !before.isWelcome()) {
                listeners.close();
                return null;
            }
            listeners.open();
            server.tickets().begin();
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
        adopter.awaitSettled();
        listeners.surplus().close();
        if (meetingPoint != null) {
            Futures.awaitEnd(server.table().discard(meetingPoint.key()));
        }
        if (adopter.left().isEmpty() && !restLeft) {
            listeners.discardMarks();
        }
        freeChunks();
        StartReport report = new StartReport(
                listeners.adoptedNames(),
                listeners.inheritedNames(),
                listeners.boundNames(),
                adopter.adopted(),
                adopter.foundAfterCrash(),
                notes.refused(),
                notes.left(),
                Duration.ofNanos(System.nanoTime() - began),
                Pauses.of(adopter.pauses()));
        server.observer().started(report);
        return report;
    }

    /** Returns the process before, if it is there and hands over in waves; {@code null} if not. */
    private WaveReceiver meet(EscrowClient client, Entry meetingPoint) throws EscrowException {
        if (meetingPoint == null) {
            return null;
        }
        try {
            return WaveReceiver.meet(
                    client.eventLoop(),
                    meetingPoint.takeDescriptor().intValue(),
                    configuration.escrow().connectTimeout());
        } catch (EscrowException e) {
            listeners.close(); // They are served by that process.
            throw e;
        }
    }

    private void accept() {
        server.listeners().forEach(Listener::accept);
        listeners.surplus().accept();
    }

    /** Takes the listeners out of the escrow, unless they are to outlive a crash of this process. */
    private void ownListeners() {
        if (!configuration.crashSafe()) {
            server.listeners()
                    .forEach(listener -> Futures.awaitEnd(listener.slot().remove()));
            Futures.awaitEnd(server.tickets().remove());
        }
    }

    /** Lets all fail that frameworks wait for: their threads may be needed to let go of everything. */
    private void tellFrameworks(EscrowException failure) {
        for (Listener listener : server.listeners()) {
            if (listener.hosted() != null) {
                listener.hosted().fail(failure);
            }
        }
    }

    /** Lets go of everything, so that the escrow is as it was. */
    private void abandon() {
        try {
            for (Listener listener : server.listeners()) {
                if (!listeners.adoptedNames().contains(listener.name()) && listener.slot() != null) {
                    Futures.awaitEnd(listener.slot().remove());
                }
                listener.abandon();
            }
            listeners.surplus().abandon();
            server.tickets().end();
            List<Connection> held = server.connections().all().stream()
                    .filter(connection -> connection.state() == ConnectionState.HELD)
                    .toList();
            server.connections().removeAll(held);
            ConnectionBatch.letGo(held).join();
            Futures.awaitEnd(server.crashStore().removeMarks());
        } finally {
            // Whatever goes wrong here, the next process gets its turn.
            server.session().end();
            server.crashStore().close();
        }
    }

    /** Adopts all connections before the first goes on: what one says may be meant for another. */
    private void adoptConnections() {
        Phase.Span adopting = Phase.ADOPTING.begin();
        List<CompletableFuture<HeldConnection>> all = new ArrayList<>();
        fetch(entry -> all.add(adopter.assemble(entry)));
        List<HeldConnection> held = new ArrayList<>();
        ProgressTicker ticker = ProgressTicker.follow(
                server.client().eventLoop(), configuration.onProgress(), Progress.Step.ADOPTING, all);
        try {
            for (CompletableFuture<HeldConnection> assembled : all) {
                HeldConnection connection = assembled.join();
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
            restLeft = true;
            notes.leaveRest();
        }
    }

    private void fetch(Consumer<Entry> sink) {
        try {
            BulkResult fetched =
                    chunks.getAll(server.table().connectionTag(), sink).join();
            fetched.failures().forEach((slot, failure) -> adopter.leave(slot, failure.getMessage()));
        } catch (CompletionException e) {
            restLeft = true;
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
}
