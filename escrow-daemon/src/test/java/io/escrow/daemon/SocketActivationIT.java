package io.escrow.daemon;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.control.StandbyView;
import io.escrow.control.StatusView;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The daemon serves a socket that it was started with, and that outlives it with all who wait in it. */
class SocketActivationIT {

    private static final int TAG = 1;
    private static final int SIGKILL = 9;
    private static final int EXIT_BY_SIGTERM = (128 + 15) << 8;

    @TempDir
    Path directory;

    private Path path;

    @BeforeEach
    void namePath() {
        path = directory.resolve("s");
    }

    private CompletableFuture<EscrowClient> connect() {
        return EscrowClient.builder()
                .path(path.toString())
                .connectTimeout(TestDaemon.TIMEOUT)
                .connect();
    }

    private static BlockingEscrow serve(CompletableFuture<EscrowClient> client) throws Exception {
        return client.get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS).toBlocking(TestDaemon.TIMEOUT);
    }

    private Set<String> names() throws IOException {
        try (Stream<Path> all = Files.list(directory)) {
            return all.map(file -> file.getFileName().toString()).collect(Collectors.toSet());
        }
    }

    @Test
    void whoWaitsIsServedByTheNextDaemon() throws Exception {
        try (TestFiles files = new TestFiles(directory.resolve("files"), 1);
                SocketActivation socket = SocketActivation.bind(path)) {
            CompletableFuture<EscrowClient> first = connect();
            ProcessHandle daemon = socket.start();
            CompletableFuture<EscrowClient> second;
            try (BlockingEscrow escrow = serve(first)) {
                escrow.add(TAG, 0, files.get(0), new byte[0]);
                second = connect();
                assertEquals(1, escrow.tag(TAG).used());
                daemon.destroyForcibly();
                assertEquals(SIGKILL, socket.awaitEnd());
            }
            assertFalse(second.isDone());

            daemon = socket.start();
            try (BlockingEscrow escrow = serve(second)) {
                assertEquals(0, escrow.tag(TAG).used());
                escrow.add(TAG, 0, new byte[1]);
                daemon.destroy();
                assertEquals(EXIT_BY_SIGTERM, socket.awaitEnd());
            }
            assertEquals(Set.of("files", "s", "s.lock"), names());
            assertTrue(socket.lines().stream().anyMatch(line -> line.contains("slots dropped")));

            CompletableFuture<EscrowClient> third = connect();
            socket.start();
            try (BlockingEscrow escrow = serve(third)) {
                assertEquals(0, escrow.tag(TAG).used());
            }
        }
    }

    /** One process has the socket from systemd, the other one gets it from that one, and they take turns. */
    @Test
    void standbyServesTheSameSocketWhenTheDaemonIsKilled() throws Exception {
        ProcessBuilder standby = new ProcessBuilder(TestDaemon.command("--standby", path.toString()));
        try (TestFiles files = new TestFiles(directory.resolve("files"), 1);
                SocketActivation socket = SocketActivation.bind(path, "--standby")) {
            ProcessHandle daemon = socket.start();
            CompletableFuture<EscrowClient> second;
            try (BlockingEscrow escrow = serve(connect());
                    TestProcess other = new TestProcess(standby)) {
                escrow.addAll(files.deposits(TAG, 0, 1)).orThrow();
                second = connect();
                awaitInStep(other.pid());
                daemon.destroyForcibly();
                assertEquals(SIGKILL, socket.awaitEnd());
                assertEquals(1, files.checkAll(escrow, TAG));

                daemon = socket.start();
                awaitInStep(daemon.pid());
                other.terminate();
                assertEquals(EXIT_BY_SIGTERM >> 8, other.awaitExit());
                assertEquals(1, files.checkAll(escrow, TAG));
            }
            try (BlockingEscrow escrow = serve(second)) {
                assertEquals(1, files.checkAll(escrow, TAG));
            }
            daemon.destroy();
            assertEquals(EXIT_BY_SIGTERM, socket.awaitEnd());
            assertEquals(Set.of("files", "s", "s.lock"), names());
        }
    }

    private void awaitInStep(long pid) {
        await().atMost(TestDaemon.TIMEOUT).ignoreExceptions().until(() -> {
            StandbyView view = TestOperator.read(StatusView.class, "status", "--json", path.toString())
                    .standby();
            return view.inStep() && view.pid() == pid;
        });
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            --mode=0660 PATH | mode of the inherited socket "PATH": 600 (expected: 660)
            --daemonise      | --daemonise: only this process can use the socket
            """)
    void saysInOneLineWhatDoesNotGoTogether(String arguments, String text) throws IOException {
        String[] all = arguments.replace("PATH", path.toString()).split(" ", -1);
        try (SocketActivation socket = SocketActivation.bind(path, all)) {
            socket.start();

            assertEquals(1 << 8, socket.awaitEnd());
            socket.awaitLine("escrowd: EINVAL: " + text.replace("PATH", path.toString()));
            assertEquals(4, socket.lines().size(), () -> socket.lines().toString());
        }
    }
}
