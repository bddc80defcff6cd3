package io.escrow.handover;

import java.util.concurrent.CompletableFuture;

/** Is the future of a server that starts: it can be cancelled until it is the server's turn. */
final class StartFuture<T> extends CompletableFuture<T> {

    private volatile CompletableFuture<?> turn;

    /** Sets what the start waits for. */
    void waitsFor(CompletableFuture<?> next) {
        turn = next;
        if (isCancelled()) {
            next.cancel(false);
        }
    }

    @Override
    public boolean cancel(boolean mayInterrupt) {
        return turn.cancel(mayInterrupt) && super.cancel(mayInterrupt);
    }

    @Override
    public <U> CompletableFuture<U> newIncompleteFuture() {
        return new CompletableFuture<>();
    }
}
