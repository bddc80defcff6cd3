package io.escrow.daemon;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.SocketPath;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Somebody deletes or replaces the files of a running daemon: it keeps what it holds, and can be found again. */
class SocketWatchIT {

    private static final int TAG = 1;

    @TempDir
    Path root;

    private Path directory;
    private Path socket;

    @AutoClose
    private TestDaemon daemon;

    @BeforeEach
    void start() throws IOException {
        directory = Files.createDirectory(root.resolve("d"));
        socket = directory.resolve("s");
        daemon = TestDaemon.start(directory);
        try (BlockingEscrow escrow = daemon.connect()) {
            escrow.add(TAG, 0, new byte[1]);
        }
    }

    private void awaitPublished() {
        await().atMost(TestDaemon.TIMEOUT).until(() -> SocketPath.isServed(socket));
    }

    private void assertStillHeld() throws IOException {
        assertEquals(Set.of(0), daemon.used(TAG));
        TestProcess status = TestDaemon.run("ctl", "status", socket.toString());
        assertEquals(0, status.awaitExit(), () -> status.lines().toString());
        assertTrue(
                status.lines().get(0).contains("process " + daemon.pid()),
                () -> status.lines().toString());
    }

    private static void delete(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
    }

    /** Clients that wait at the deleted socket are served, and those that come later. */
    @Test
    void socketIsPublishedAgain() throws IOException {
        CompletableFuture<EscrowClient> waiting;
        CompletableFuture<EscrowClient> later;
        try (BlockingEscrow escrow = daemon.connect()) {
            waiting = daemon.client().connect();
            String status = TestDaemon.run("ctl", "status", socket.toString()).awaitLine("waiting: ");
            assertEquals("waiting: 1", status);
            Files.delete(socket);
            awaitPublished();
            later = daemon.client().connect();
            escrow.add(TAG, 1, new byte[1]);
        }
        try (EscrowClient first =
                waiting.orTimeout(TestDaemon.PATIENCE_SECONDS, TimeUnit.SECONDS).join()) {
            assertEquals(2, first.tag(TAG).join().used());
            assertFalse(later.isDone());
            first.delete(TAG, 1).join();
        }
        try (EscrowClient second =
                later.orTimeout(TestDaemon.PATIENCE_SECONDS, TimeUnit.SECONDS).join()) {
            assertEquals(1, second.tag(TAG).join().used());
        }
        assertStillHeld();
        daemon.awaitLine(
                line -> line.endsWith("WARN  socket published again path=\"" + socket + "\""), "published again");
        daemon.terminate();
        daemon.awaitExit();
        try (Stream<Path> left = Files.list(directory)) {
            assertEquals(List.of(SocketPath.lockFile(socket)), left.toList());
        }
    }

    @Test
    void idleDaemonPublishesAgainEachTime() throws IOException {
        for (int i = 0; i < 2; i++) {
            Files.delete(socket);
            Files.delete(SocketPath.control(socket));
            awaitPublished();
            await().atMost(TestDaemon.TIMEOUT).until(() -> SocketPath.isServed(SocketPath.control(socket)));
            assertStillHeld();
        }
    }

    @Test
    void wholeDirectoryIsDeleted() throws IOException {
        delete(directory);
        Files.delete(directory);
        daemon.awaitLine(line -> line.contains("WARN  socket is not at its path"), "not at its path");
        Files.createDirectory(directory);
        awaitPublished();
        await().atMost(TestDaemon.TIMEOUT).until(() -> SocketPath.isServed(SocketPath.control(socket)));
        assertStillHeld();
    }

    @Test
    void claimIsMadeAgain() throws IOException {
        Files.delete(SocketPath.lockFile(socket));
        await().atMost(TestDaemon.TIMEOUT).until(() -> Files.exists(SocketPath.lockFile(socket)));
        Files.delete(socket);
        TestProcess second = TestDaemon.run("--force", socket.toString());
        assertEquals(1, second.awaitExit());
        second.awaitLine("escrowd: EADDRINUSE: escrowd (process " + daemon.pid() + ") already serves");
        awaitPublished();
        assertStillHeld();
    }

    @Test
    void socketOfAnotherProgramIsLeftAlone() throws IOException {
        try (ServerSocketChannel other = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            Path elsewhere = directory.resolve("o");
            other.bind(UnixDomainSocketAddress.of(elsewhere));
            Files.move(elsewhere, socket, StandardCopyOption.ATOMIC_MOVE);
            daemon.awaitLine(
                    line -> line.endsWith("reason=\"EADDRINUSE: another process listens on \\\"" + socket + "\\\"\""),
                    "another process listens");
            assertTrue(SocketPath.isServed(socket));
        }
        awaitPublished();
        assertStillHeld();
    }

    /** A second daemon got there while this one could not look. */
    @Test
    void anotherDaemonIsLeftAlone() throws IOException {
        daemon.pause();
        delete(directory);
        try (TestDaemon other = TestDaemon.start(directory)) {
            daemon.resume();
            daemon.awaitLine(
                    line -> line.contains("escrowd (process " + other.pid() + ") already serves"), "already serves");
            assertEquals(Set.of(), other.used(TAG));
            other.terminate();
            other.awaitExit();
        }
        awaitPublished();
        assertStillHeld();
    }
}
