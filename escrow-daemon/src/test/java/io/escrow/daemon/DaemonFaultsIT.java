package io.escrow.daemon;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowConnectionException;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.client.EscrowClientBuilder;
import io.escrow.daemon.Exchange.Moment;
import io.escrow.testing.TestProcess;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A daemon dies at every moment of every exchange: the library's client says so at once, tells rightly what may have been
 * carried out, keeps no descriptor, and finds the next daemon when it was not connected yet.
 */
class DaemonFaultsIT {

    private static final int FILES = 2 * Script.FILLED;

    @TempDir
    static Path directory;

    private static EventLoopGroup group;
    private static TestFiles files;

    private Path path;
    private EscrowClientBuilder builder;
    private long descriptors;

    @BeforeAll
    static void start() throws IOException {
        group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        files = new TestFiles(directory.resolve("files"), FILES);
        // What is opened once only, is opened now.
        try (TestDaemon once = TestDaemon.start(directory);
                BlockingEscrow escrow = once.client().group(group).connectBlocking(TestDaemon.TIMEOUT)) {
            escrow.add(0, 0, files.get(0), TestFiles.payload(0));
        }
    }

    @AfterAll
    static void end() {
        files.close();
        group.shutdownGracefully(0, 1, SECONDS).syncUninterruptibly();
    }

    @BeforeEach
    void prepare() {
        descriptors = own();
        path = directory.resolve("fake");
        builder = EscrowClient.builder().path(path.toString()).group(group).connectTimeout(TestDaemon.TIMEOUT);
    }

    @AfterEach
    void nothingIsLeft() {
        await("descriptors of this process")
                .atMost(TestDaemon.TIMEOUT)
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(5))
                .until(() -> own() <= descriptors);
    }

    private static long own() {
        return TestProcess.descriptors(ProcessHandle.current().pid());
    }

    static Stream<Moment> moments() {
        return Arrays.stream(Exchange.values()).flatMap(exchange -> exchange.moments().stream());
    }

    /** The test plays a daemon, whose end of the connection is closed as the kernel does it for a killed process. */
    @ParameterizedTest
    @MethodSource("moments")
    void dies(Moment moment) throws Exception {
        Socket listener = Socket.newSocketDomain();
        try {
            listener.bind(new DomainSocketAddress(path.toFile()));
            listener.listen(1);
            CompletableFuture<EscrowClient> connecting = builder.connect();
            if (moment.inGreeting()) {
                playUpTo(moment, RawClient.accept(listener), connecting);
                // Not connected yet, so the client tries again, and the next daemon is in time.
                Moment end = moment.exchange()
                        .moments()
                        .get(moment.exchange().moments().size() - 1);
                verify(end, playUpTo(end, RawClient.accept(listener), connecting), connecting.get());
            } else {
                CompletableFuture<?> asked = playUpTo(moment, RawClient.accept(listener), connecting);
                verify(moment, asked, connecting.get());
            }
        } finally {
            listener.close();
            Files.delete(path);
        }
    }

    /** Plays a daemon that is gone at a moment; returns what was asked, if it came to that. */
    private static CompletableFuture<?> playUpTo(
            Moment moment, RawClient daemon, CompletableFuture<EscrowClient> connecting) throws Exception {
        CompletableFuture<?> asked = null;
        List<Message> messages = moment.exchange().script(Exchange.HELLO).messages();
        try (daemon) {
            for (int m = 0; m <= moment.message(); m++) {
                if (m == 2) {
                    asked = moment.exchange().call(connecting.get(TestProcess.PATIENCE_SECONDS, SECONDS), files);
                }
                Message message = messages.get(m);
                Cut cut = m < moment.message() ? Cut.BEHIND : moment.cut();
                if (!message.fromClient()) {
                    daemon.send(message, cut, files);
                } else if (cut == Cut.BEFORE) {
                    // Else the client might not have sent it, and would say so.
                    daemon.awaitFirstByte();
                } else {
                    daemon.receive(message, cut, files);
                }
            }
        }
        return asked;
    }

    private static void verify(Moment moment, CompletableFuture<?> asked, EscrowClient client) throws Exception {
        if (moment.isEnd()) {
            asked.get(TestProcess.PATIENCE_SECONDS, SECONDS);
        } else {
            assertTrue(failure(asked).maybeCarriedOut());
        }
        client.closed().toCompletableFuture().get(TestProcess.PATIENCE_SECONDS, SECONDS);
        assertFalse(failure(moment.exchange().call(client, files)).maybeCarriedOut());
    }

    private static EscrowConnectionException failure(CompletableFuture<?> future) {
        Throwable cause = assertThrows(
                        ExecutionException.class, () -> future.get(TestProcess.PATIENCE_SECONDS, SECONDS))
                .getCause();
        if (cause instanceof CompletionException) {
            cause = cause.getCause();
        }
        return assertInstanceOf(EscrowConnectionException.class, cause);
    }

    /** A real daemon is killed before it has read the request; what waits behind the request was certainly not sent. */
    @ParameterizedTest
    @EnumSource
    void killed(Exchange exchange) throws Exception {
        try (TestDaemon daemon = TestDaemon.start(directory, "--force")) {
            EscrowClient client = daemon.client().group(group).connect().get(TestProcess.PATIENCE_SECONDS, SECONDS);
            client.addAll(files.deposits(Script.USED_TAG, 0, Script.FILLED)).get(TestProcess.PATIENCE_SECONDS, SECONDS);
            daemon.pause();
            CompletableFuture<?> asked = exchange.call(client, files);
            client.eventLoop().submit(() -> {}).get();
            CompletableFuture<?> second = client.tag(0);
            client.eventLoop().submit(() -> {}).get();
            CompletableFuture<?> third = client.tag(0);
            daemon.kill();
            assertTrue(failure(asked).maybeCarriedOut());
            assertTrue(failure(second).maybeCarriedOut());
            assertFalse(failure(third).maybeCarriedOut());
            client.closed().toCompletableFuture().get(TestProcess.PATIENCE_SECONDS, SECONDS);
        }
        try (TestDaemon next = TestDaemon.start(directory, "--force")) {
            EscrowClient client = next.client().group(group).connect().get(TestProcess.PATIENCE_SECONDS, SECONDS);
            assertEquals(
                    0,
                    client.tag(Script.USED_TAG)
                            .get(TestProcess.PATIENCE_SECONDS, SECONDS)
                            .used());
            client.toBlocking(TestDaemon.TIMEOUT).close();
        }
    }
}
