package io.escrow.handover;

import io.escrow.client.EscrowClient;
import io.escrow.handover.store.EscrowTable;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Holds a running server's session with the escrow, and makes it again when it is lost. May be used by any thread. */
final class EscrowSession {

    private static final long RETRY_MILLIS = 500;

    private final ServerHandover server;
    private final EscrowTable table;
    private CompletableFuture<Void> regained = CompletableFuture.completedFuture(null);
    private boolean wanted = true;
    private boolean lost;

    EscrowSession(ServerHandover server) {
        this.server = server;
        this.table = new EscrowTable(server.options().firstTag);
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

    /** Gives the session up, for the next process. */
    CompletableFuture<Void> end() {
        synchronized (this) {
            wanted = false;
            regained.cancel(false);
        }
        client().close();
        return client().closed().toCompletableFuture();
    }

    /** Makes the session again if it is lost. */
    synchronized CompletableFuture<Void> regain() {
        return isLost() && regained.isDone() ? regain(server.options().escrow.connect()) : regained.copy();
    }

    /** Makes the session again, with a connection that is being made; a crash-safe server tries until it succeeds. */
    synchronized CompletableFuture<Void> regain(CompletableFuture<EscrowClient> connecting) {
        wanted = true;
        regained = connecting.thenCompose(this::beginAgain);
        regained.whenComplete((nothing, failure) -> {
            connecting.cancel(false);
            if (failure != null && server.options().crashSafe) {
                server.logger().debug("no session with the escrow: {}", failure.getMessage());
                CompletableFuture.delayedExecutor(RETRY_MILLIS, TimeUnit.MILLISECONDS)
                        .execute(this::keep);
            }
        });
        return regained.copy();
    }

    private CompletableFuture<Void> beginAgain(EscrowClient client) {
        synchronized (this) {
            if (!wanted) {
                client.close();
                return CompletableFuture.failedFuture(new CancellationException("the session is not wanted any more"));
            }
        }
        return begin(client).thenRun(() -> {
            if (server.options().crashSafe) {
                escrowAll();
            }
            server.observer().queued(client.queued());
            if (setLost(false)) {
                server.observer().sessionRegained();
            }
        });
    }

    private void lost() {
        synchronized (this) {
            if (!wanted || !regained.isDone()) {
                return;
            }
            setLost(true);
        }
        server.observer().sessionLost();
        if (server.options().crashSafe) {
            server.logger().warn("the session with the escrow is lost: connections would not outlive a crash just now");
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

    /** Puts everything into the escrow that this server has; what the escrow still holds is replaced. */
    private void escrowAll() {
        List<CompletableFuture<Void>> stored = new ArrayList<>();
        server.options().listeners.forEach(listener -> stored.add(listener.store(false)));
        server.guards()
                .forEach(guard ->
                        stored.add(Loops.call(guard.channel().eventLoop(), () -> ServerHandover.checkpoint(guard))
                                .thenCompose(done -> done)));
        CompletableFuture.allOf(stored.toArray(CompletableFuture[]::new)).whenComplete((nothing, failure) -> {
            long missing = stored.stream()
                    .filter(CompletableFuture::isCompletedExceptionally)
                    .count();
            if (missing == 0) {
                server.logger().info("the session with the escrow is on again: {} channels are in it", stored.size());
            } else {
                server.logger()
                        .warn(
                                "{} of {} channels are not in the escrow again: {}",
                                missing,
                                stored.size(),
                                failure.getMessage());
            }
        });
    }
}
