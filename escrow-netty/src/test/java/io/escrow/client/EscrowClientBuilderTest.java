package io.escrow.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.EscrowException;
import io.escrow.SocketPath;
import io.escrow.Status;
import io.escrow.testing.EventLoopGroups;
import io.netty.channel.EventLoopGroup;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class EscrowClientBuilderTest {

    private static final Duration LONG = Duration.ofSeconds(30);
    private static final Duration SHORT = Duration.ofMillis(500);

    @TempDir
    Path directory;

    @ParameterizedTest
    @CsvSource({"PT0S", "PT-0.001S", "PT876000H0.000000001S"})
    void refusesTimeoutThatIsNoTimeToWait(Duration timeout) {
        EscrowClientBuilder builder = builder();

        IllegalArgumentException e =
                assertThrows(IllegalArgumentException.class, () -> builder.connectTimeout(timeout));
        assertEquals("connect timeout: " + timeout + " (expected: more than 0, at most 36500 days)", e.getMessage());
        IllegalArgumentException ofView =
                assertThrows(IllegalArgumentException.class, () -> builder.connectBlocking(timeout));
        assertEquals("timeout: " + timeout + " (expected: more than 0, at most 36500 days)", ofView.getMessage());
    }

    static Stream<EventLoopGroup> groupsOnOtherTransports() {
        return Stream.of(EventLoopGroups.local(), EventLoopGroups.nio());
    }

    @ParameterizedTest
    @MethodSource("groupsOnOtherTransports")
    void refusesEventLoopsOfAnotherTransport(EventLoopGroup group) {
        try {
            EscrowClientBuilder builder = builder();

            IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> builder.group(group));
            assertEquals(
                    "group: a " + group.getClass().getSimpleName()
                            + " with another transport (needs an epoll event loop group: EpollIoHandler, or EpollEventLoopGroup with Netty 4.1)",
                    e.getMessage());
        } finally {
            group.shutdownGracefully(0, 5, TimeUnit.SECONDS).syncUninterruptibly();
        }
    }

    @Test
    void refusesEventLoopsThatWereShutDown() {
        EventLoopGroup group = EventLoopGroups.epoll(1);
        group.shutdownGracefully(0, 5, TimeUnit.SECONDS).syncUninterruptibly();
        EscrowClientBuilder builder = builder().group(group);

        IllegalStateException e = assertThrows(IllegalStateException.class, builder::connect);
        assertEquals("group: its event loops are shut down (expected: running)", e.getMessage());
    }

    @Test
    void refusesDelaysOutOfRange() {
        EscrowClientBuilder builder = builder().deleteDelay(Duration.ZERO).deleteDelay(Duration.ofSeconds(1));

        for (Duration delay : List.of(Duration.ofNanos(-1), Duration.ofMillis(1_001))) {
            IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> builder.deleteDelay(delay));
            assertEquals("delete delay: " + delay + " (expected: 0 to 1000 ms; 0 to wait for nothing)", e.getMessage());
        }
    }

    @Test
    void refusesMissingValues() {
        EscrowClientBuilder builder = builder();

        assertThrows(NullPointerException.class, () -> builder.group(null));
        assertThrows(NullPointerException.class, () -> builder.connectTimeout(null));
        assertThrows(NullPointerException.class, () -> builder.onWaiting(null));
        assertThrows(NullPointerException.class, () -> builder.launch(null));
        assertThrows(NullPointerException.class, () -> builder.deleteDelay(null));
        assertThrows(NullPointerException.class, () -> builder.connectBlocking(null));
    }

    @Test
    void failsAtOnceWhenThePathIsNotUsable() throws IOException {
        Path file = Files.createFile(directory.resolve("file"));
        assertFailed(Status.EINVAL, builder().path(file.toString()).connect());
        assertFailed(
                Status.ENAMETOOLONG,
                builder().path("/" + "s".repeat(SocketPath.MAX_LENGTH)).connect());
        assertFailed(
                Status.ENOENT,
                builder().path(directory.resolve("none/s").toString()).connect());
    }

    @Test
    void failsAtOnceWhenNothingNamesThePath() {
        assumeTrue(System.getenv(SocketPath.ENVIRONMENT) == null);

        assertFailed(Status.EINVAL, EscrowClient.builder().connect());
    }

    @Test
    void connectsTwiceWithoutSharing() {
        try (FakeDaemon daemon = FakeDaemon.silent(path())) {
            EscrowClientBuilder builder = builder();
            EscrowClient first = builder.connect().join();
            try (EscrowClient second = builder.connect().join()) {
                assertNotSame(first.eventLoop().parent(), second.eventLoop().parent());
                first.close();
                first.closed().toCompletableFuture().join();

                assertFalse(second.eventLoop().isShuttingDown());
            }
            assertEquals(2, daemon.received().size());
        }
    }

    @Test
    void connectsAsConfiguredWhenItWasCalled() throws IOException {
        CompletableFuture<Waiting> told = new CompletableFuture<>();
        CompletableFuture<Waiting> toldLater = new CompletableFuture<>();
        EscrowClientBuilder builder = builder().connectTimeout(SHORT).onWaiting(told::complete);
        try (ServerSocketChannel server = listen()) {
            CompletableFuture<EscrowClient> client = builder.connect();
            builder.path("elsewhere").connectTimeout(LONG).onWaiting(toldLater::complete);

            CompletionException e = assertThrows(CompletionException.class, client::join);
            assertEquals(Status.ETIMEDOUT, ((EscrowException) e.getCause()).status());
            assertEquals(new Waiting(path(), 0), told.join());
            assertTrue(server.isOpen() && !toldLater.isDone());
        }
    }

    @Test
    void copyIsChangedOnItsOwn() throws IOException {
        CompletableFuture<Waiting> told = new CompletableFuture<>();
        CompletableFuture<Waiting> toldOfCopy = new CompletableFuture<>();
        EscrowClientBuilder builder = builder().connectTimeout(SHORT).onWaiting(told::complete);
        EscrowClientBuilder copy = builder.copy().onWaiting(toldOfCopy::complete);
        try (ServerSocketChannel server = listen()) {
            CompletionException e =
                    assertThrows(CompletionException.class, copy.connect()::join, "the timeout is copied");
            assertEquals(Status.ETIMEDOUT, ((EscrowException) e.getCause()).status());
            assertEquals(new Waiting(path(), 0), toldOfCopy.join());
            assertTrue(server.isOpen() && !told.isDone());
        }
    }

    private static void assertFailed(Status status, CompletableFuture<EscrowClient> client) {
        assertTrue(client.isDone());
        CompletionException e = assertThrows(CompletionException.class, client::join);
        assertEquals(status, ((EscrowException) e.getCause()).status());
    }

    private ServerSocketChannel listen() throws IOException {
        return ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(path()));
    }

    private EscrowClientBuilder builder() {
        return EscrowClient.builder().path(path().toString());
    }

    private Path path() {
        return directory.resolve("s");
    }
}
