package io.escrow.daemon.socket;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.SocketPath;
import io.escrow.Status;
import io.escrow.control.StatusView;
import io.escrow.daemon.EscrowDaemon;
import io.escrow.daemon.Operator;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.config.OperatorOptions;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What stands beside the main socket, when a daemon puts its control socket there. */
class SocketPublicationTest {

    @TempDir
    Path directory;

    private Path path;
    private Path control;

    @BeforeEach
    void choosePath() {
        path = directory.resolve("s");
        control = SocketPath.control(path);
    }

    private EscrowDaemon start() throws EscrowException {
        return EscrowDaemon.start(DaemonOptions.of(path.toString()));
    }

    private List<String> names() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    private void assertRefused(Status status, String text, List<String> left) throws IOException {
        EscrowException e = assertThrows(EscrowException.class, this::start);
        assertEquals(text, e.text());
        assertEquals(status, e.status());
        assertEquals(left, names());
    }

    @Test
    void controlSocketComesAndGoesWithTheMainOne() throws IOException {
        EscrowDaemon daemon = start();
        assertEquals(List.of("s", "s.ctl", "s.lock"), names());

        daemon.close();
        assertEquals(List.of("s.lock"), names());
    }

    @Test
    void replacesControlSocketOfDaemonThatIsGone() throws IOException {
        ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                .bind(UnixDomainSocketAddress.of(control))
                .close();
        EscrowDaemon daemon = start();
        assertEquals(
                path.toString(),
                Operator.ask(path, "GET /status").read(StatusView.class).path());

        daemon.close();
        assertEquals(List.of("s.lock"), names());
    }

    @Test
    void leavesControlSocketThatSomebodyElsePutThere() throws IOException {
        EscrowDaemon daemon = start();
        Files.delete(control);
        try (ServerSocketChannel other =
                ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(control))) {
            daemon.close();
            assertTrue(other.isOpen());
        }
        assertEquals(List.of("s.ctl", "s.lock"), names());
    }

    @Test
    void replacesNothingElse() throws IOException {
        Files.writeString(control, "precious");
        assertRefused(
                Status.EINVAL,
                "not a socket: \"" + control + "\", the path of the control socket",
                List.of("s.ctl", "s.lock"));
        assertEquals("precious", Files.readString(control));

        Files.delete(control);
        Files.createDirectory(control);
        assertRefused(
                Status.EINVAL,
                "not a socket: \"" + control + "\", the path of the control socket",
                List.of("s.ctl", "s.lock"));

        Files.delete(control);
        Files.createSymbolicLink(control, directory.resolve("nowhere"));
        assertRefused(
                Status.EINVAL,
                "not a socket: \"" + control + "\", the path of the control socket",
                List.of("s.ctl", "s.lock"));
    }

    /** A daemon whose own name ends like that. */
    @Test
    void replacesNoSocketThatSomebodyListensOn() throws IOException {
        EscrowDaemon other = EscrowDaemon.start(DaemonOptions.of(control.toString()));
        assertRefused(
                Status.EADDRINUSE,
                "another process listens on \"" + control + "\", the path of the control socket",
                List.of("s.ctl", "s.ctl.ctl", "s.ctl.lock", "s.lock"));

        assertTrue(SocketPath.isServed(control));
        other.close();
    }

    /** A daemon that was killed may have lost its claim already, and not yet its sockets. */
    @Test
    @SuppressWarnings("try") // closed early
    void waitsForTheOtherSocketsOfADaemonThatIsEnding() throws Exception {
        start().close();
        InetAddress loopback = InetAddress.getLoopbackAddress();
        try (ServerSocket metrics = new ServerSocket(0, 1, loopback);
                ServerSocketChannel operators = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            operators.bind(UnixDomainSocketAddress.of(control));
            DaemonOptions options = DaemonOptions.builder()
                    .path(path.toString())
                    .operators(new OperatorOptions(1, new InetSocketAddress(loopback, metrics.getLocalPort())))
                    .build();
            CompletableFuture<EscrowDaemon> starting = CompletableFuture.supplyAsync(() -> start(options));
            operators.accept().close();
            operators.close();
            // It has the one, and comes to the other.
            await().until(() -> SocketPath.isServed(control));
            assertFalse(starting.isDone());
            metrics.close();
            starting.join().close();
        }
    }

    private static EscrowDaemon start(DaemonOptions options) {
        try {
            return EscrowDaemon.start(options);
        } catch (EscrowException e) {
            throw new CompletionException(e);
        }
    }
}
