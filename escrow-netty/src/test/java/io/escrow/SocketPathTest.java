package io.escrow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SocketPathTest {

    @TempDir
    Path directory;

    @BeforeAll
    static void loadNativeLibrary() {
        Epoll.ensureAvailability();
    }

    @Test
    void acceptsNewPathOfLongestLength() throws EscrowException {
        String path = directory + "/"
                + "x".repeat(SocketPath.MAX_LENGTH - directory.toString().length() - 1);

        assertEquals(Path.of(path), SocketPath.check(path));
    }

    @Test
    void refusesPathThatIsTooLong() {
        String path = directory + "/"
                + "x".repeat(SocketPath.MAX_LENGTH - directory.toString().length());

        assertRefused(Status.ENAMETOOLONG, "length of the socket's path: 108 bytes (expected: <= 107): " + path, path);
    }

    @Test
    void countsBytesAndNotCharacters() {
        assertRefused(
                Status.ENAMETOOLONG,
                "length of the socket's path: 108 bytes (expected: <= 107): " + "é".repeat(54),
                "é".repeat(54));
    }

    @Test
    void refusesMissingDirectory() {
        assertRefused(
                Status.ENOENT,
                "no such directory for the socket: " + directory.resolve("no"),
                directory.resolve("no/s").toString());
    }

    @Test
    void refusesFileThatIsNoSocket() throws IOException {
        Path file = Files.createFile(directory.resolve("file"));

        assertRefused(Status.EINVAL, "not a socket: " + file, file.toString());
        assertFalse(SocketPath.isSocket(file));
    }

    @Test
    void refusesLinkThatLeadsNowhere() throws IOException {
        Path link = Files.createSymbolicLink(directory.resolve("link"), directory.resolve("nowhere"));

        assertRefused(Status.EINVAL, "not a socket: " + link, link.toString());
    }

    @Test
    void refusesEmptyPath() {
        assertRefused(Status.EINVAL, "no path of a socket: give one, or set ESCROW_PATH in the environment", "");
    }

    @Test
    void refusesNoPathAtAll() {
        assumeTrue(System.getenv(SocketPath.ENVIRONMENT) == null);

        assertRefused(Status.EINVAL, "no path of a socket: give one, or set ESCROW_PATH in the environment", null);
    }

    @Test
    void tellsWhetherSomebodyListens() throws IOException {
        Path socket = directory.resolve("s");
        assertFalse(SocketPath.isServed(socket));
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(socket));

            assertTrue(SocketPath.isServed(socket));
        }
        assertTrue(SocketPath.isSocket(socket));
        assertFalse(SocketPath.isServed(socket));
    }

    @Test
    void tellsAtTheLongestPathToo() throws IOException {
        Path socket = directory.resolve(
                "x".repeat(SocketPath.MAX_LENGTH - directory.toString().length() - 1));
        Socket server = Socket.newSocketDomain();
        server.bind(new DomainSocketAddress(socket.toFile()));
        server.listen(1);

        assertTrue(SocketPath.isServed(socket));
        server.close();
        assertFalse(SocketPath.isServed(socket));
    }

    @Test
    void tellsThatSomebodyListensWhoseBacklogIsFull() throws IOException {
        Path socket = directory.resolve("s");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(socket), 1);
            for (int i = 0; i < 4; i++) {
                assertTrue(SocketPath.isServed(socket));
            }
        }
    }

    @Test
    void acceptsSocketThatIsThere() throws IOException {
        Path socket = directory.resolve("s");
        ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                .bind(UnixDomainSocketAddress.of(socket))
                .close();

        assertEquals(socket, SocketPath.check(socket.toString()));
    }

    @Test
    void placesLockFileBesideSocket() {
        assertEquals(Path.of("/a/b.lock"), SocketPath.lockFile(Path.of("/a/b")));
        assertEquals(Path.of("b.lock"), SocketPath.lockFile(Path.of("b")));
    }

    private static void assertRefused(Status status, String text, String path) {
        EscrowException e = assertThrows(EscrowException.class, () -> SocketPath.check(path));
        assertEquals(text, e.text());
        assertEquals(status, e.status());
        assertEquals(status + ": " + text, e.getMessage());
        assertNull(e.getCause());
    }
}
