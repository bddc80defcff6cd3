package io.escrow.client;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.SocketPath;
import io.escrow.Status;
import io.escrow.codec.Frame;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class ConnectorTest {

    private static final Duration SHORT = Duration.ofSeconds(1);

    @TempDir
    Path directory;

    private Path path;

    @BeforeEach
    void choosePath() {
        path = directory.resolve("s");
    }

    @Test
    void saysThatThereIsNoSocket() {
        assertFails(
                Status.ECONNREFUSED,
                "no socket \"" + path + "\": start escrowd, or let the client launch it",
                builder().connect());
    }

    @Test
    void saysThatNobodyListens() throws IOException {
        listen().close();

        assertFails(
                Status.ECONNREFUSED,
                "no process listens on \"" + path + "\": start escrowd, or let the client launch it",
                builder().connect());
    }

    @Test
    void saysThatPathIsNoSocket() throws IOException {
        Files.createFile(path);

        assertFails(Status.EINVAL, "not a socket: " + path, builder().connect());
    }

    @Test
    void saysWhyTheDaemonRefused() {
        try (FakeDaemon daemon = new FakeDaemon(path, frame -> new Frame.Reply(Status.EPROTO, "version"))) {
            assertFails(Status.EPROTO, "version", builder().connect());
            assertEquals(1, daemon.received().size());
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"ETIMEDOUT", "ECANCELED"})
    void queuesUpAgainWhenItMissedItsTurn(Status why) {
        AtomicInteger turns = new AtomicInteger();
        try (FakeDaemon daemon = new FakeDaemon(
                path, frame -> turns.incrementAndGet() < 3 ? new Frame.Reply(why, "no greeting") : FakeDaemon.HELLO)) {
            builder().connect().join().close();
            assertEquals(3, turns.get());
            assertEquals(3, daemon.received().size());
        }
    }

    @Test
    void saysWhoseSessionIsOnWhenItsTurnDoesNotCome() throws IOException {
        Files.writeString(SocketPath.lockFile(path), "1\n4711\n");
        CompletableFuture<Waiting> told = new CompletableFuture<>();
        try (ServerSocketChannel server = listen()) {
            CompletableFuture<EscrowClient> client =
                    builder().connectTimeout(SHORT).onWaiting(told::complete).connect();

            assertFails(
                    Status.ETIMEDOUT,
                    "not connected within 1000 ms: waiting for the session of process 4711 on \"" + path + "\" to end",
                    client);
            assertEquals(new Waiting(path, 4711), told.join());
            assertTrue(server.isOpen());
        }
    }

    /** Nobody was told that it waits, because its time was up before. */
    @Test
    void saysWhoseSessionIsOnHoweverShortItsTimeIs() throws IOException {
        Files.writeString(SocketPath.lockFile(path), "1\n4711\n");
        CompletableFuture<Waiting> told = new CompletableFuture<>();
        try (ServerSocketChannel server = listen()) {
            assertFails(
                    Status.ETIMEDOUT,
                    "not connected within 1 ms: waiting for the session of process 4711 on \"" + path + "\" to end",
                    builder()
                            .connectTimeout(Duration.ofMillis(1))
                            .onWaiting(told::complete)
                            .connect());
            assertTrue(server.isOpen());
        }
        assertFalse(told.isDone());
    }

    @Test
    void doesNotSayThatItWaitsForItself() throws IOException {
        Files.writeString(
                SocketPath.lockFile(path), "1\n" + ProcessHandle.current().pid() + "\n");
        CompletableFuture<Waiting> told = new CompletableFuture<>();
        try (ServerSocketChannel server = listen()) {
            assertFails(
                    Status.ETIMEDOUT,
                    "not connected within 1000 ms: no answer",
                    builder().connectTimeout(SHORT).onWaiting(told::complete).connect());
            assertTrue(server.isOpen());
        }
        assertFalse(told.isDone());
    }

    @Test
    void waitsWhileTheBacklogIsFull() throws IOException {
        CompletableFuture<Waiting> told = new CompletableFuture<>();
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(path), 1);
            try (SocketChannel first = SocketChannel.open(UnixDomainSocketAddress.of(path));
                    SocketChannel second = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
                assertTrue(first.isConnected() && second.isConnected());

                assertFails(
                        Status.ETIMEDOUT,
                        "not connected within 1000 ms: waiting for an answer on \"" + path
                                + "\": another process has the session, or escrowd just starts",
                        builder()
                                .connectTimeout(SHORT)
                                .onWaiting(told::complete)
                                .connect());
            }
        }
        assertEquals(new Waiting(path, 0), told.join());
    }

    @Test
    void goesOnWhenTheDaemonHangsUpBeforeItsTurn() throws Exception {
        try (ServerSocketChannel server = listen()) {
            CompletableFuture<EscrowClient> client = builder().connect();
            server.accept().close();

            try (SocketChannel second = server.accept()) {
                assertTrue(second.isConnected());
                client.cancel(false);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void waitsForItsTurnAsLongAsItTakes(boolean backlogIsFull) throws Exception {
        Files.writeString(SocketPath.lockFile(path), "1\n4711\n");
        BlockingQueue<Waiting> told = new LinkedBlockingQueue<>();
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(path), 1);
            List<SocketChannel> others = new ArrayList<>();
            for (int i = 0; backlogIsFull && i < 2; i++) {
                others.add(SocketChannel.open(UnixDomainSocketAddress.of(path)));
            }
            CompletableFuture<EscrowClient> client = builder()
                    .connectTimeout(Duration.ofMillis(1_500))
                    .onWaiting(told::add)
                    .connect(false, Duration.ofMillis(100));

            // Its limit passes meanwhile, and it says again and again for whom it waits.
            for (int i = 0; i < 2; i++) {
                assertEquals(new Waiting(path, 4711), told.take());
            }
            assertThrows(TimeoutException.class, () -> client.get(2, TimeUnit.SECONDS));
            client.cancel(false);
            for (SocketChannel other : others) {
                other.close();
            }
        }
    }

    @Test
    void doesNotTakeAServerThatHangsUpForAQueue() throws Exception {
        try (ServerSocketChannel server = listen()) {
            Thread hangingUp = new Thread(() -> {
                try {
                    while (true) {
                        server.accept().close();
                    }
                } catch (IOException e) {
                    // The test is over.
                }
            });
            hangingUp.start();
            assertFails(
                    Status.ETIMEDOUT,
                    "not connected within 300 ms: no answer",
                    builder().connectTimeout(Duration.ofMillis(300)).connect(false, Duration.ofMinutes(1)));
        }
    }

    @Test
    void saysThatTheServerDoesNotSpeakTheProtocol() throws Exception {
        try (ServerSocketChannel server = listen()) {
            CompletableFuture<EscrowClient> client = builder().awaitTurn();
            try (SocketChannel accepted = server.accept()) {
                accepted.write(ByteBuffer.wrap("HTTP/1.1 400 Bad Request\r\n\r\n".getBytes(US_ASCII)));
                EscrowException failure = assertInstanceOf(
                        EscrowException.class,
                        assertThrows(CompletionException.class, client::join).getCause());
                assertEquals(Status.EPROTO, failure.status());
                assertTrue(
                        failure.text().startsWith("what listens on \"" + path + "\" does not speak this protocol: "),
                        failure.text());
            }
        }
    }

    @Test
    void hangsUpWhenCancelled() throws IOException {
        try (ServerSocketChannel server = listen()) {
            CompletableFuture<EscrowClient> client = builder().connect();
            try (SocketChannel accepted = server.accept()) {
                client.cancel(false);

                assertEndsAfterHello(accepted);
            }
        }
    }

    private static void assertEndsAfterHello(SocketChannel accepted) throws IOException {
        ByteBuffer hello = ByteBuffer.allocate(1024);
        while (accepted.read(hello) >= 0) {
            assertTrue(hello.hasRemaining());
        }
        assertTrue(hello.position() == 0 || hello.position() == 8 + 28, "bytes: " + hello.position());
    }

    private ServerSocketChannel listen() throws IOException {
        return ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(path));
    }

    private EscrowClientBuilder builder() {
        return EscrowClient.builder().path(path.toString());
    }

    private static void assertFails(Status status, String text, CompletableFuture<EscrowClient> client) {
        CompletionException e = assertThrows(CompletionException.class, client::join);
        EscrowException cause = assertInstanceOf(EscrowException.class, e.getCause());
        assertEquals(text, cause.text());
        assertEquals(status, cause.status());
    }
}
