package io.escrow.daemon;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.client.BlockingEscrow;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The socket: there when it can be connected to, the owner's only, never taken from who lives, gone with its daemon. */
class SocketFileIT {

    private static final int TAG = 1;

    @TempDir
    Path directory;

    private Path socket;

    @BeforeEach
    void nameSocket() {
        socket = directory.resolve("s");
    }

    private Set<String> names() throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.map(entry -> entry.getFileName().toString()).collect(Collectors.toCollection(TreeSet::new));
        }
    }

    private static void tryToConnect(Path socket) throws IOException {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            assertTrue(channel.connect(UnixDomainSocketAddress.of(socket)));
        }
    }

    private void assertFails(String text, String... options) throws IOException {
        String[] arguments =
                Stream.concat(Stream.of(options), Stream.of(socket.toString())).toArray(String[]::new);
        TestProcess daemon = TestDaemon.run(arguments);
        assertEquals(List.of("escrowd: EADDRINUSE: " + text), daemon.lines());
        assertEquals(1, daemon.awaitExit());
    }

    /** From the first moment that the socket is seen it has its mode and can be connected to; then the line comes. */
    @Test
    void seenWhenItListens() throws Exception {
        TestProcess starting = new TestProcess(new ProcessBuilder(TestDaemon.command(socket.toString())));
        try (starting) {
            Set<PosixFilePermission> mode = null;
            while (mode == null) {
                boolean said = starting.lines().stream().anyMatch(line -> line.startsWith("Listening"));
                try {
                    mode = Files.getPosixFilePermissions(socket);
                } catch (NoSuchFileException e) {
                    assertFalse(said, "said that it listens before there was a socket");
                    assertTrue(starting.isAlive(), () -> starting.lines().toString());
                }
            }
            assertEquals("rw-------", PosixFilePermissions.toString(mode));
            tryToConnect(socket);
            starting.awaitLine("Listening on \"" + socket + "\"");
            assertEquals(Set.of("s", "s.ctl", "s.lock"), names());
            assertEquals(List.of("Listening on \"" + socket + "\""), starting.lines());
        }
    }

    @Test
    void goneWhenTerminated() throws IOException {
        try (TestDaemon daemon = TestDaemon.start(directory);
                BlockingEscrow escrow = daemon.connect()) {
            escrow.add(TAG, 0, new byte[1]);
            daemon.terminate();
            assertEquals(128 + 15, daemon.awaitExit());
            assertEquals(Set.of("s.lock"), names());
            List<String> lines = daemon.lines();
            assertEquals(4, lines.size(), lines::toString);
            assertTrue(lines.get(3).endsWith(" WARN  slots dropped slots=\"1\""), lines::toString);
        }
        // And nothing is in the way of the next one.
        TestDaemon.start(directory).close();
    }

    @Test
    void staleSocketNeedsForce() throws IOException {
        try (TestDaemon daemon = TestDaemon.start(directory)) {
            daemon.kill();
        }
        assertFails("\"" + socket + "\" is the socket of a daemon that has ended: --force replaces it");
        try (TestDaemon next = TestDaemon.start(directory, "--force")) {
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)));
            next.warmUp();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"--tags=32", "--force"})
    void livingDaemonKeepsItsSocket(String option) throws IOException {
        try (TestDaemon daemon = TestDaemon.start(directory)) {
            try (BlockingEscrow escrow = daemon.connect()) {
                escrow.add(TAG, 0, new byte[1]);
            }
            Object key = Files.getAttribute(socket, "unix:ino");
            assertFails("escrowd (process " + daemon.pid() + ") already serves \"" + socket + "\"", option);
            daemon.pause();
            try {
                assertFails("escrowd (process " + daemon.pid() + ") already serves \"" + socket + "\"", option);
                Files.delete(directory.resolve("s.lock"));
                assertFails("another process listens on \"" + socket + "\"", option);
            } finally {
                daemon.resume();
            }
            assertEquals(key, Files.getAttribute(socket, "unix:ino"));
            assertEquals(Set.of(0), daemon.used(TAG));
            try (BlockingEscrow escrow = daemon.connect()) {
                escrow.delete(TAG, 0);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"--tags=32", "--force"})
    void socketOfAnotherProgramIsNotTaken(String option) throws IOException {
        try (ServerSocketChannel other = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            other.bind(UnixDomainSocketAddress.of(socket));
            assertFails("another process listens on \"" + socket + "\"", option);
            tryToConnect(socket);
        }
    }

    /** Somebody has put another socket there meanwhile: it is not the daemon's to remove. */
    @Test
    void otherSocketIsNotRemoved() throws IOException {
        try (TestDaemon daemon = TestDaemon.start(directory);
                ServerSocketChannel other = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            Files.delete(socket);
            other.bind(UnixDomainSocketAddress.of(socket));
            daemon.terminate();
            daemon.awaitExit();
            tryToConnect(socket);
        }
    }

    @Test
    void lockFileSaysWhoServesAndWhoIsServed() throws IOException {
        try (TestDaemon daemon = TestDaemon.start(directory)) {
            try (BlockingEscrow escrow = daemon.connect()) {
                assertEquals(0, escrow.tag(0).used());
                assertEquals(
                        List.of(
                                Long.toString(daemon.pid()),
                                Long.toString(ProcessHandle.current().pid())),
                        Files.readAllLines(directory.resolve("s.lock"), UTF_8));
            }
        }
    }
}
