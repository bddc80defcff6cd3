package io.escrow.daemon.socket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.InheritedSockets;
import io.escrow.SocketPath;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.daemon.EscrowDaemon;
import io.escrow.daemon.config.Access;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.kernel.ProcDescriptors;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** A socket that is bound by somebody else, who keeps it when the daemon has gone. */
class InheritedListenerTest {

    private static final Duration TIME = Duration.ofSeconds(30);

    @TempDir
    Path directory;

    private Path path;
    private Socket systemd;

    @BeforeEach
    void bind() throws IOException {
        Epoll.ensureAvailability();
        path = directory.resolve("s");
        systemd = Socket.newSocketDomain();
        systemd.bind(new DomainSocketAddress(path.toString()));
        systemd.listen(8);
    }

    @AfterEach
    void close() throws IOException {
        systemd.close();
    }

    /** Returns a duplicate, which is what a process inherits. */
    private static int inherit(Socket socket) throws IOException {
        Socket loop = Socket.newSocketDomainDgram();
        try {
            DomainSocketAddress name = new DomainSocketAddress("\0" + UUID.randomUUID());
            loop.bind(name);
            loop.connect(name);
            loop.sendFd(socket.intValue());
            return loop.recvFd();
        } finally {
            loop.close();
        }
    }

    private CompletableFuture<EscrowClient> connect() {
        return EscrowClient.builder().path(path.toString()).connectTimeout(TIME).connect();
    }

    @Test
    void servesWhoHasConnectedBeforeAndLeavesTheSocketThere() throws Exception {
        CompletableFuture<EscrowClient> early = connect();
        int descriptor = inherit(systemd);
        DaemonOptions options = DaemonOptions.builder()
                .path(path.toString())
                .listener(descriptor)
                .build();
        EscrowDaemon daemon = EscrowDaemon.start(options);
        try (BlockingEscrow escrow = early.get().toBlocking(TIME)) {
            escrow.add(1, 0, new byte[1]);
            assertEquals(1, escrow.tag(1).used());
        } finally {
            daemon.close();
        }

        assertTrue(SocketPath.isServed(path));
        assertFalse(isOpen(descriptor));
        CompletableFuture<EscrowClient> between = connect();
        try (EscrowDaemon next = EscrowDaemon.start(DaemonOptions.builder()
                        .path(path.toString())
                        .listener(inherit(systemd))
                        .build());
                BlockingEscrow escrow = between.get().toBlocking(TIME)) {
            next.eventLoop();
            assertEquals(0, escrow.tag(1).used());
        }
    }

    /** Tells whether a number is that of a duplicate of the socket. */
    private boolean isOpen(int descriptor) {
        return ProcDescriptors.name(descriptor).equals(ProcDescriptors.name(systemd.intValue()));
    }

    @Test
    void lockFileIsForThoseWhoMayConnect() throws IOException {
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-rw----"));
        try (EscrowDaemon daemon = EscrowDaemon.start(DaemonOptions.builder()
                .path(path.toString())
                .listener(inherit(systemd))
                .build())) {
            daemon.eventLoop();
            Path lock = SocketPath.lockFile(path);
            assertEquals("rw-r-----", PosixFilePermissions.toString(Files.getPosixFilePermissions(lock)));
            assertEquals(Files.getAttribute(path, "unix:gid"), Files.getAttribute(lock, "unix:gid"));
        }
    }

    @Test
    void isClosedWhenTheStartFails() throws IOException {
        Path other = directory.resolve("other");
        int descriptor = inherit(systemd);

        assertRefused(
                "inherited socket is at \"" + path + "\" (expected: \"" + other
                        + "\"): give the same path to both, or none to escrowd",
                () -> EscrowDaemon.start(DaemonOptions.builder()
                        .path(other.toString())
                        .listener(descriptor)
                        .build()));
        assertFalse(isOpen(descriptor));
        assertFalse(Files.exists(SocketPath.lockFile(other)));
        assertTrue(SocketPath.isServed(path));
    }

    @Test
    void findsItsPathThroughLink() throws IOException {
        Path link = Files.createSymbolicLink(directory.resolve("link"), directory);
        InheritedListener socket = new InheritedListener(systemd.intValue());

        socket.check(link.resolve("s"), Access.OWNER_ONLY);

        assertEquals(path, InheritedListener.path(systemd.intValue()));
    }

    @Test
    void refusesSocketThatNobodyCanConnectTo() throws IOException {
        String number = "inherited descriptor " + systemd.intValue();
        Files.delete(path);
        assertRefused(
                number + " (UNIX-domain listener, " + path + "): its path no longer exists: bind the socket again",
                () -> InheritedListener.path(systemd.intValue()));
        Socket tcp = Socket.newSocketStream();
        try {
            tcp.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            tcp.listen(1);
            assertRefused(
                    "inherited descriptor " + tcp.intValue() + " (TCP listener, " + tcp.localAddress()
                            + ") (expected: a UNIX-domain stream socket that listens at an absolute path)",
                    () -> InheritedListener.path(tcp.intValue()));
        } finally {
            tcp.close();
        }
    }

    @Test
    void isTheOnlyOne() throws IOException {
        assertEquals(DaemonOptions.BIND, InheritedListener.inherited(new InheritedSockets(Map.of())));
        assertEquals(
                systemd.intValue(),
                InheritedListener.inherited(new InheritedSockets(Map.of(systemd.intValue(), "escrow"))));
        InheritedSockets two = new InheritedSockets(Map.of(systemd.intValue(), "a", 999_999, "b"));
        EscrowException e = assertThrows(EscrowException.class, () -> InheritedListener.inherited(two));
        assertTrue(e.text().startsWith("inherited descriptors: 2 (expected: 1, "), e.text());
    }

    @Test
    void comparesItsMode() throws IOException {
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-rw-rw-"));
        InheritedListener.checkMode(path, 0666);

        assertRefused(
                "mode of the inherited socket \"" + path
                        + "\": 666 (expected: 600): set it where the socket is bound (SocketMode=)",
                () -> InheritedListener.checkMode(path, 0600));
    }

    private static void assertRefused(String text, Executable start) {
        assertEquals(text, assertThrows(EscrowException.class, start).text());
    }

    @Test
    void isNotClosedWhenItIsTaken() throws IOException {
        new InheritedListener(DaemonOptions.BIND).close();
        FileDescriptor descriptor = new FileDescriptor(inherit(systemd));
        InheritedListener taken = new InheritedListener(descriptor.intValue());
        assertEquals(descriptor.intValue(), taken.take());
        taken.close();
        assertTrue(isOpen(descriptor.intValue()));
        descriptor.close();
    }
}
