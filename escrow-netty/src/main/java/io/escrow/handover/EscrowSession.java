package io.escrow.handover;

import io.escrow.client.EscrowClient;
import io.escrow.handover.store.EscrowTable;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.event.Level;

/** Holds a running server's session with the escrow, and makes it again when it is lost. May be used by any thread. */
final class EscrowSession {

    private static final long RETRY_MILLIS = 500;

    private static final Logger logger = HandoverLog.LOGGER;

    private final HandoverConfiguration configuration;
    private final EscrowTable table;
    private final CrashStore crashStore;
    private CompletableFuture<EscrowClient> connecting = CompletableFuture.failedFuture(notWanted());
    private CompletableFuture<Void> regained = CompletableFuture.completedFuture(null);
    private boolean wanted = true;
    private boolean lost;
    /** How often it could not be made again since it was lost. */
    private final AtomicInteger failures = new AtomicInteger();

    EscrowSession(HandoverConfiguration configuration, EscrowTable table, CrashStore crashStore) {
        this.configuration = configuration;
        this.table = table;
        this.crashStore = crashStore;
    }

    EscrowTable table() {
        return table;
    }

    EscrowClient client() {
        return table.client();
    }

    /** Takes a fresh connection to the escrow into use. */
    CompletableFuture<Void> begin(EscrowClient client) {
        return table.begin(client).thenRun(() -> client.closed().thenRun(this::lost));
    }

    boolean isLost() {
        return client().closed().toCompletableFuture().isDone();
    }

    /** Gives the session up, for the next process; one that is being made, too, however far that has come. */
    CompletableFuture<Void> end() {
        CompletableFuture<EscrowClient> attempt;
        CompletableFuture<Void> begun;
        synchronized (this) {
            wanted = false;
            attempt = connecting;
            begun = regained;
        }
        CompletableFuture<Void> attemptEnded = giveUp(attempt);
        EscrowClient current = client();
        current.close();
        return CompletableFuture.allOf(
                current.closed().toCompletableFuture(), attemptEnded, begun.handle((nothing, failure) -> null));
    }

    /** Ends an attempt to connect, and its client if it has just got one: cancelling comes too late then. */
    static CompletableFuture<Void> giveUp(CompletableFuture<EscrowClient> attempt) {
        attempt.cancel(false);
        return attempt.thenCompose(client -> {
                    client.close();
                    return client.closed();
                })
                .exceptionally(cancelled -> null);
    }

    /** Makes the session again if it is lost. */
    synchronized CompletableFuture<Void> regain() {
        return isLost() && regained.isDone() ? regain(configuration.escrow().awaitTurn()) : regained.copy();
    }

    /** Makes the session again, with a connection that is being made; a crash-safe server tries until it succeeds. */
    synchronized CompletableFuture<Void> regain(CompletableFuture<EscrowClient> attempt) {
        wanted = true;
        connecting = attempt;
        regained = attempt.thenCompose(this::beginAgain);
        regained.whenComplete((nothing, failure) -> {
            if (failure == null) {
                // It may have been lost while it was being made.
                lost();
            } else if (configuration.crashSafe() && isWanted()) {
                logger.atLevel(failures.getAndIncrement() == 0 ? Level.WARN : Level.DEBUG)
                        .log("no session with the escrow, trying again: {}", failure.getMessage());
                CompletableFuture.delayedExecutor(RETRY_MILLIS, TimeUnit.MILLISECONDS)
                        .execute(this::keep);
            }
        });
        return regained.copy();
    }

    private CompletableFuture<Void> beginAgain(EscrowClient client) {
        if (!isWanted()) {
            client.close();
            return CompletableFuture.failedFuture(notWanted());
        }
        return begin(client).thenCompose(nothing -> storeMarks(client)).thenRun(() -> {
            failures.set(0);
            if (configuration.crashSafe()) {
                escrowAll();
            } else {
                table.freeStrayChunks();
            }
            configuration.observer().queued(client.queued());
            if (setLost(false)) {
                configuration.observer().sessionRegained();
            }
        });
    }

    private static CancellationException notWanted() {
        return new CancellationException("the session is not wanted any more");
    }

    private synchronized boolean isWanted() {
        return wanted;
    }

    /** Stores the marks before anything that they are about; without them, the session is made anew. */
    private CompletableFuture<Void> storeMarks(EscrowClient client) {
        if (!configuration.crashSafe()) {
            return CompletableFuture.completedFuture(null);
        }
        return crashStore.storeMarks().whenComplete((nothing, failure) -> {
            if (failure != null) {
                client.close();
            }
        });
    }

    /** Looks whether the session is lost, unless it is being made anyway. */
    private void lost() {
        synchronized (this) {
            if (!wanted || !regained.isDone() || !isLost() || setLost(true)) {
                return;
            }
        }
        configuration.observer().sessionLost();
        if (configuration.crashSafe()) {
            logger.warn("the session with the escrow is lost: connections would not outlive a crash just now");
            keep();
        }
    }

    /** Returns whether the session was lost before. */
    private synchronized boolean setLost(boolean now) {
        boolean before = lost;
        lost = now;
        return before;
    }

    private synchronized void keep() {
        if (wanted) {
            regain();
        }
    }

    /** Puts everything into the escrow that this server has. */
    private void escrowAll() {
        List<CompletableFuture<Void>> stored = crashStore.storeAll();
        CompletableFuture.allOf(stored.toArray(CompletableFuture[]::new)).whenComplete((nothing, failure) -> {
            table.freeStrayChunks();
            long missing = stored.stream()
                    .filter(CompletableFuture::isCompletedExceptionally)
                    .count();
            if (missing == 0) {
                logger.info("the session with the escrow is on again: {} channels are in it", stored.size());
            } else {
                logger.warn(
                        "{} of {} channels are not in the escrow again: {}",
                        missing,
                        stored.size(),
                        failure.getMessage());
            }
        });
    }
}
