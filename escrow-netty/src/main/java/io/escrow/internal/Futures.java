package io.escrow.internal;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.netty.channel.unix.Errors.NativeIoException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Function;

/**
 * Makes futures fail in one way: callers see an {@link EscrowException}, in callbacks as in the cause of what {@code
 * get()} throws.
 *
 * <p>A stage that depends on another one fails with a {@link CompletionException} instead. So no future that callers get
 * is such a stage: {@link #expose} copies the outcome into a future of its own.
 */
public final class Futures {

    private Futures() {}

    /**
     * Returns a future for callers, which completes as a stage does.
     *
     * @param stage the stage; cancelling the future does not reach it
     * @param <T> the type of the result
     * @return the future; fails with an {@link EscrowException}
     */
    public static <T> CompletableFuture<T> expose(CompletionStage<T> stage) {
        CompletableFuture<T> future = new CompletableFuture<>();
        relay(stage, future);
        return future;
    }

    /**
     * Completes a future as a stage completes.
     *
     * @param stage the stage
     * @param future the future; fails with an {@link EscrowException}; nothing happens to one that is done already
     * @param <T> the type of the result
     */
    public static <T> void relay(CompletionStage<T> stage, CompletableFuture<T> future) {
        stage.whenComplete((result, failure) -> {
            if (failure == null) {
                future.complete(result);
            } else {
                future.completeExceptionally(toEscrowException(failure));
            }
        });
    }

    /**
     * Returns a future of two steps, of which the second one needs the result of the first.
     *
     * @param first the first step
     * @param second begins the second step; called by the thread that completes the first
     * @param <A> the type of the first result
     * @param <B> the type of the second result
     * @return a future of the second result; fails with an {@link EscrowException}; cancelling it cancels the step that is
     *     under way
     */
    public static <A, B> CompletableFuture<B> then(
            CompletableFuture<A> first, Function<? super A, CompletableFuture<B>> second) {
        CompletableFuture<B> both = new CompletableFuture<>();
        first.whenComplete((result, failure) -> {
            if (failure != null) {
                both.completeExceptionally(toEscrowException(failure));
            } else if (!both.isDone()) {
                begin(second, result, both);
            }
        });
        both.whenComplete((result, failure) -> first.cancel(false));
        return both;
    }

    private static <A, B> void begin(
            Function<? super A, CompletableFuture<B>> step, A argument, CompletableFuture<B> result) {
        try {
            CompletableFuture<B> begun = step.apply(argument);
            relay(begun, result);
            result.whenComplete((done, failure) -> begun.cancel(false));
        } catch (Throwable e) {
            result.completeExceptionally(toEscrowException(e));
        }
    }

    /**
     * Waits until a future is done, however it ends.
     *
     * @param future the future
     */
    public static void awaitEnd(CompletableFuture<?> future) {
        future.handle((result, failure) -> null).join();
    }

    /**
     * Returns what made a future fail.
     *
     * @param failure what a callback got, or {@code get()} or {@code join()} threw
     * @return the cause of a {@link CompletionException} or an {@link ExecutionException} if it has one, at any depth; any
     *     other failure itself
     */
    public static Throwable unwrap(Throwable failure) {
        Throwable cause = failure;
        while ((cause instanceof CompletionException || cause instanceof ExecutionException)
                && cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause;
    }

    /**
     * Returns the exception with which the future of a caller fails.
     *
     * @param failure what failed, possibly wrapped as {@link #unwrap} knows it
     * @return the failure itself if it is an {@link EscrowException}; else one that has it as its cause and {@link
     *     #statusOf} as its status, and names the reason if an event loop has ended
     */
    public static EscrowException toEscrowException(Throwable failure) {
        Throwable cause = unwrap(failure);
        if (cause instanceof EscrowException e) {
            return e;
        } else if (cause instanceof RejectedExecutionException) {
            return new EscrowException(
                    Status.ECANCELED,
                    "an event loop that is needed has been shut down (" + cause.getMessage()
                            + "): keep the event loops of the server until it is closed, or handed over",
                    cause);
        }
        return new EscrowException(statusOf(cause), "unexpected failure: " + cause, cause);
    }

    /**
     * Returns the status that says best what failed.
     *
     * @param failure what failed
     * @return the status of an {@link EscrowException}, or the one with the number of a failed system call; {@link
     *     Status#EIO} when there is none
     */
    public static Status statusOf(Throwable failure) {
        if (failure instanceof EscrowException e) {
            return e.status();
        } else if (failure instanceof NativeIoException e) {
            return Status.of(-e.expectedErr());
        } else if (failure instanceof AccessDeniedException) {
            return Status.EACCES;
        } else if (failure instanceof NoSuchFileException) {
            return Status.ENOENT;
        }
        return Status.EIO;
    }
}
