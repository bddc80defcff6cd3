package io.escrow.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.netty.channel.unix.Errors.NativeIoException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.Test;

class FuturesTest {

    private final EscrowException refused = new EscrowException(Status.ENOENT, "empty");

    @Test
    void exposedFutureFailsInCallbacksAsInGet() {
        CompletableFuture<String> exposed = Futures.expose(
                CompletableFuture.<String>failedFuture(refused).thenCompose(CompletableFuture::completedFuture));

        CompletableFuture<Throwable> inCallback = new CompletableFuture<>();
        exposed.whenComplete((result, failure) -> inCallback.complete(failure));
        assertSame(refused, inCallback.join());
        assertSame(refused, assertThrows(ExecutionException.class, exposed::get).getCause());
    }

    @Test
    void exposedFutureHasTheResult() {
        assertEquals("a", Futures.expose(CompletableFuture.completedFuture("a")).join());
    }

    @Test
    void cancelDoesNotReachTheStage() {
        CompletableFuture<String> stage = new CompletableFuture<>();
        Futures.expose(stage).cancel(false);

        assertFalse(stage.isDone());
    }

    @Test
    void secondStepHasTheResultOfTheFirst() {
        CompletableFuture<Integer> first = new CompletableFuture<>();
        CompletableFuture<String> both = Futures.then(first, i -> CompletableFuture.completedFuture("step " + i));
        assertFalse(both.isDone());

        first.complete(2);
        assertEquals("step 2", both.join());
    }

    @Test
    void eitherStepFailsBoth() {
        CompletableFuture<Integer> failed = CompletableFuture.failedFuture(refused);
        assertFailedWithRefused(Futures.then(failed, CompletableFuture::completedFuture));
        assertFailedWithRefused(Futures.then(CompletableFuture.completedFuture(1), i -> failed.thenApply(j -> j)));
    }

    @Test
    void secondStepThatThrowsFailsBoth() {
        RuntimeException broken = new IllegalStateException("broken");
        CompletableFuture<Integer> both = Futures.then(CompletableFuture.completedFuture(1), i -> {
            throw broken;
        });

        Throwable cause = assertThrows(ExecutionException.class, both::get).getCause();
        assertSame(broken, assertInstanceOf(EscrowException.class, cause).getCause());
    }

    @Test
    void cancelReachesTheStepThatIsUnderWay() {
        CompletableFuture<Integer> first = new CompletableFuture<>();
        Futures.then(first, CompletableFuture::completedFuture).cancel(false);
        assertTrue(first.isCancelled());

        CompletableFuture<Integer> second = new CompletableFuture<>();
        Futures.then(CompletableFuture.completedFuture(1), i -> second).cancel(false);
        assertTrue(second.isCancelled());
    }

    @Test
    void secondStepDoesNotBeginAfterCancel() {
        CompletableFuture<Integer> first = new CompletableFuture<>();
        CompletableFuture<Integer> begun = new CompletableFuture<>();
        CompletableFuture<Integer> both = Futures.then(first.thenApply(i -> i), i -> {
            begun.complete(i);
            return begun;
        });
        both.cancel(false);
        first.complete(1);

        assertFalse(begun.isDone());
    }

    private void assertFailedWithRefused(CompletableFuture<Integer> future) {
        CompletableFuture<Throwable> inCallback = new CompletableFuture<>();
        future.whenComplete((result, failure) -> inCallback.complete(failure));
        assertSame(refused, inCallback.join());
    }

    @Test
    void unwrapsAtAnyDepth() {
        assertSame(refused, Futures.unwrap(new CompletionException(new ExecutionException(refused))));
        assertSame(refused, Futures.unwrap(refused));
        CompletionException bare = new CompletionException("no cause", null);
        assertSame(bare, Futures.unwrap(bare));
    }

    @Test
    void namesUnexpectedFailure() {
        RuntimeException cause = new IllegalStateException("broken");

        EscrowException e = Futures.toEscrowException(new CompletionException(cause));
        assertEquals("EIO: unexpected failure: java.lang.IllegalStateException: broken", e.getMessage());
        assertSame(cause, e.getCause());
    }

    @Test
    void namesAnEventLoopThatHasEnded() {
        EscrowException e = Futures.toEscrowException(new RejectedExecutionException("event executor terminated"));
        assertEquals(Status.ECANCELED, e.status());
        assertTrue(
                e.text().startsWith("an event loop that is needed has been shut down (event executor terminated)"),
                e.text());
    }

    @Test
    void findsStatusOfFailure() {
        assertEquals(Status.ENOENT, Futures.statusOf(refused));
        assertEquals(Status.EADDRINUSE, Futures.statusOf(new NativeIoException("bind", -98)));
        assertEquals(Status.EIO, Futures.statusOf(new NativeIoException("bind", -99)));
        assertEquals(Status.EACCES, Futures.statusOf(new AccessDeniedException("a")));
        assertEquals(Status.ENOENT, Futures.statusOf(new NoSuchFileException("a")));
        assertInstanceOf(EscrowException.class, Futures.toEscrowException(new IOException("disk")));
    }
}
