package io.escrow.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowConnectionException;
import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.TagInfo;
import io.escrow.codec.Frame;
import io.escrow.testing.EventLoopGroups;
import io.netty.channel.EventLoopGroup;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BlockingEscrowTest {

    private static final Duration LONG = Duration.ofSeconds(30);
    private static final Duration SHORT = Duration.ofMillis(50);
    private static final EventLoopGroup group = EventLoopGroups.epoll(2);

    @TempDir
    Path directory;

    @AfterAll
    static void stopLoops() {
        group.shutdownGracefully(0, 5, TimeUnit.SECONDS).syncUninterruptibly();
    }

    @Test
    void returnsTheAnswer() throws EscrowException {
        try (FakeDaemon daemon = answering(new Frame.Info(1, 2, 3, 4));
                BlockingEscrow escrow = connect(LONG)) {
            assertEquals(new TagInfo(2, 3, 4), escrow.tag(1));
            assertEquals(2, daemon.received().size());
        }
    }

    @Test
    void throwsWhatTheDaemonRefused() throws EscrowException {
        try (FakeDaemon daemon = answering(new Frame.Reply(Status.ENOENT, "empty"));
                BlockingEscrow escrow = connect(LONG)) {
            EscrowException e = assertThrows(EscrowException.class, () -> escrow.delete(1, 2));

            assertEquals(Status.ENOENT, e.status());
            assertEquals("empty", e.text());
            assertInstanceOf(ExecutionException.class, e.getSuppressed()[0], "the caller's stack");
            assertEquals(2, daemon.received().size());
        }
    }

    @Test
    void timesOut() throws EscrowException {
        try (FakeDaemon daemon = FakeDaemon.silent(path());
                BlockingEscrow escrow = connect(SHORT)) {
            EscrowException e = assertThrows(EscrowException.class, () -> escrow.get(1, 2));

            assertEquals(Status.ETIMEDOUT, e.status());
            assertEquals("no answer within 50 ms", e.text());
            assertFalse(daemon.received().isEmpty());
        }
    }

    @Test
    void keepsInterrupt() throws EscrowException {
        try (FakeDaemon daemon = FakeDaemon.silent(path());
                BlockingEscrow escrow = connect(LONG)) {
            Thread.currentThread().interrupt();
            EscrowException e = assertThrows(EscrowException.class, () -> escrow.get(1, 2));

            assertTrue(Thread.interrupted());
            assertEquals(Status.ETIMEDOUT, e.status());
            assertFalse(daemon.received().isEmpty());
        }
    }

    @Test
    void failsAtOnceWhenTheDaemonDies() throws Exception {
        FakeDaemon daemon = FakeDaemon.silent(path());
        try (BlockingEscrow escrow = connect(LONG)) {
            CompletableFuture<EscrowException> failure = CompletableFuture.supplyAsync(
                    () -> assertThrows(EscrowConnectionException.class, () -> escrow.get(1, 2)));
            daemon.close();

            assertEquals(Status.ECONNRESET, failure.get().status());
        }
    }

    @Test
    void refusesToBlockAnyEventLoopOfItsGroup() throws Exception {
        try (FakeDaemon daemon = FakeDaemon.silent(path());
                EscrowClient client = builder().group(group).connect().join()) {
            BlockingEscrow escrow = client.toBlocking(LONG);
            for (int i = 0; i < 2; i++) {
                assertRefused(group.next().submit(() -> escrow.tag(0)));
                assertRefused(group.next().submit(escrow::close));
            }
            assertEquals(1, daemon.received().size());
        }
    }

    @Test
    void refusesToConnectOnAnEventLoopOfItsGroup() {
        assertRefused(group.submit(() -> builder().group(group).connectBlocking(LONG)));
    }

    @Test
    void canBeClosedAgainWhenItsEventLoopIsGone() throws Exception {
        try (FakeDaemon daemon = FakeDaemon.silent(path())) {
            EscrowClient client = builder().connect().join();
            BlockingEscrow escrow = client.toBlocking(LONG);
            escrow.close();
            client.eventLoop().terminationFuture().sync();

            escrow.close();

            assertThrows(EscrowConnectionException.class, () -> escrow.tag(0));
            assertEquals(1, daemon.received().size());
        }
    }

    private static void assertRefused(Future<?> call) {
        ExecutionException e = assertThrows(ExecutionException.class, () -> call.get(30, TimeUnit.SECONDS));
        assertSame(IllegalStateException.class, e.getCause().getClass());
    }

    private FakeDaemon answering(Frame answer) {
        return new FakeDaemon(path(), frame -> frame instanceof Frame.Hello ? FakeDaemon.HELLO : answer);
    }

    private BlockingEscrow connect(Duration timeout) throws EscrowException {
        return builder().connectBlocking(timeout);
    }

    private EscrowClientBuilder builder() {
        return EscrowClient.builder().path(path().toString());
    }

    private Path path() {
        return directory.resolve("s");
    }
}
