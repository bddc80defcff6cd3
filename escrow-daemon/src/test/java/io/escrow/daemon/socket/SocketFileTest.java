package io.escrow.daemon.socket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.SocketPath;
import io.escrow.Status;
import io.escrow.daemon.config.Access;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SocketFileTest {

    @TempDir
    Path directory;

    private Path path;
    private Socket listener;

    @BeforeEach
    void makeListener() {
        Epoll.ensureAvailability();
        path = directory.resolve("s");
        listener = Socket.newSocketDomain();
    }

    @AfterEach
    void closeListener() throws IOException {
        listener.close();
    }

    @Test
    void publishesSocketThatOnlyItsOwnerMayUse() throws IOException {
        try (SocketFile file = SocketFile.claim(path, false, Duration.ZERO)) {
            listenOn(file);
            file.publish(new AccessCheck(Access.OWNER_ONLY));

            assertEquals("rw-------", modeOf(path));
            assertEquals("rw-------", modeOf(SocketPath.lockFile(path)));
            assertTrue(SocketPath.isServed(path));
            assertEquals(List.of("s", "s.lock"), names());
        }
    }

    @Test
    void nobodyComesBetweenOneThatReleasesTheClaimAndTheNext() throws IOException {
        try (SocketFile file = SocketFile.claim(path, false, Duration.ZERO);
                SocketFile next = SocketFile.unclaimed(path);
                SocketFile third = SocketFile.unclaimed(path)) {
            next.awaitNext(Duration.ZERO);
            assertThrows(EscrowException.class, () -> third.awaitNext(Duration.ZERO));
            assertFalse(next.tryClaim());
            file.release();
            assertThrows(EscrowException.class, () -> SocketFile.claimBound(path, Duration.ZERO));
            assertTrue(next.tryClaim());
            next.releaseNext();
            assertFalse(file.tryClaim());
            next.release();
            assertTrue(file.tryClaim());
        }
    }

    @Test
    void showsNothingToOthersBeforeItIsPublished() throws IOException {
        try (SocketFile file = SocketFile.claim(path, false, Duration.ZERO)) {
            listenOn(file);

            assertFalse(Files.exists(path));
            assertEquals(2, names().size(), () -> names().toString());
            assertEquals("rwx------", modeOf(directory.resolve(names().get(0))));
        }
        assertEquals(List.of("s.lock"), names());
    }

    @Test
    void publishesAtTheLongestPath() throws IOException {
        path = directory.resolve(
                "x".repeat(SocketPath.MAX_LENGTH - directory.toString().length() - 1));
        try (SocketFile file = SocketFile.claim(path, false, Duration.ZERO)) {
            listenOn(file);
            file.publish(new AccessCheck(Access.OWNER_ONLY));

            assertEquals(SocketPath.MAX_LENGTH, path.toString().length());
            assertTrue(SocketPath.isServed(path));
        }
    }

    @Test
    void removesItsSocketAndKeepsTheLockFile() throws IOException {
        try (SocketFile file = SocketFile.claim(path, false, Duration.ZERO)) {
            listenOn(file);
            file.publish(new AccessCheck(Access.OWNER_ONLY));
        }

        assertEquals(List.of("s.lock"), names());
    }

    @Test
    void leavesSocketThatSomebodyElsePutThere() throws IOException {
        try (SocketFile file = SocketFile.claim(path, false, Duration.ZERO)) {
            listenOn(file);
            file.publish(new AccessCheck(Access.OWNER_ONLY));
            Files.delete(path);
            leaveStaleSocket();
        }

        assertTrue(SocketPath.isSocket(path));
    }

    @Test
    void refusesPathThatIsClaimed() throws IOException {
        try (SocketFile file = SocketFile.claim(path, false, Duration.ZERO)) {
            file.holder(0);
            String text = "escrowd (process " + ProcessHandle.current().pid() + ") already serves \"" + path + "\"";
            assertRefused(text, false);
            assertRefused(text, true);
        }
        SocketFile.claim(path, false, Duration.ZERO).close();
    }

    @Test
    void refusesStaleSocketUnlessForced() throws IOException {
        leaveStaleSocket();
        assertRefused("\"" + path + "\" is the socket of a daemon that has ended: --force replaces it", false);

        Object stale = Files.getAttribute(path, "unix:ino");
        try (SocketFile file = SocketFile.claim(path, true, Duration.ZERO)) {
            listenOn(file);
            assertEquals(stale, Files.getAttribute(path, "unix:ino"));
            file.publish(new AccessCheck(Access.OWNER_ONLY));

            assertNotEquals(stale, Files.getAttribute(path, "unix:ino"));
            assertTrue(SocketPath.isServed(path));
        }
    }

    @Test
    void neverTakesSocketThatSomebodyListensOn() throws IOException {
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(path));

            // Nobody had the claim before, so nobody is waited for.
            assertRefused("another process listens on \"" + path + "\"", false, Duration.ofDays(1));
            assertRefused("another process listens on \"" + path + "\"", true, Duration.ofDays(1));
            assertTrue(SocketPath.isServed(path));
        }
    }

    /** The kernel releases the locks of a process that is killed before it closes its sockets. */
    @Test
    @SuppressWarnings("try") // closed early
    void waitsForTheEndOfADaemonThatHasOnlyLostItsClaim() throws Exception {
        SocketFile.claim(path, false, Duration.ZERO).close();
        try (ServerSocketChannel ending = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            ending.bind(UnixDomainSocketAddress.of(path));
            assertRefused("another process listens on \"" + path + "\"", true);
            ending.accept().close();

            CompletableFuture<SocketFile> claiming = CompletableFuture.supplyAsync(this::claimPatiently);
            ending.accept().close();
            assertFalse(claiming.isDone());
            ending.close();
            claiming.join().close();
        }
    }

    private SocketFile claimPatiently() {
        try {
            return SocketFile.claim(path, true, Duration.ofDays(1));
        } catch (EscrowException e) {
            throw new CompletionException(e);
        }
    }

    @Test
    void notesWhoseSessionIsOn() throws IOException {
        String own = Long.toString(ProcessHandle.current().pid());
        try (SocketFile file = SocketFile.claim(path, false, Duration.ZERO)) {
            assertEquals(List.of(own, "0"), Files.readAllLines(SocketPath.lockFile(path)));
            file.holder(4_194_304);
            assertEquals(List.of(own, "4194304"), Files.readAllLines(SocketPath.lockFile(path)));
            file.holder(1);
            assertEquals(List.of(own, "1"), Files.readAllLines(SocketPath.lockFile(path)));
        }
    }

    @Test
    void followsNoLinkInPlaceOfTheLockFile() throws IOException {
        Path victim = Files.writeString(directory.resolve("victim"), "precious");
        Files.createSymbolicLink(SocketPath.lockFile(path), victim);

        assertThrows(EscrowException.class, () -> SocketFile.claim(path, true, Duration.ZERO));
        assertEquals("precious", Files.readString(victim));
    }

    @Test
    void changesNoFileThatLockFileWasReplacedBy() throws IOException {
        Path victim = Files.writeString(directory.resolve("victim"), "precious");
        Files.setPosixFilePermissions(victim, PosixFilePermissions.fromString("rw-r--r--"));
        try (SocketFile file = SocketFile.claim(path, false, Duration.ZERO)) {
            listenOn(file);
            Files.delete(SocketPath.lockFile(path));
            Files.createSymbolicLink(SocketPath.lockFile(path), victim);

            assertThrows(
                    EscrowException.class, () -> file.publish(new AccessCheck(new Access(0666, Set.of(), Set.of()))));
            assertEquals("rw-r--r--", modeOf(victim));
        }
    }

    @Test
    void givesSocketAndLockFileTheirModes() throws IOException {
        try (SocketFile file = SocketFile.claim(path, false, Duration.ZERO)) {
            listenOn(file);
            file.publish(new AccessCheck(new Access(0666, Set.of(), Set.of())));

            assertEquals("rw-rw-rw-", modeOf(path));
            assertEquals("rw-r--r--", modeOf(SocketPath.lockFile(path)));
        }
    }

    private void listenOn(SocketFile file) throws IOException {
        listener.bind(new DomainSocketAddress(file.bindAddress()));
        listener.listen(8);
    }

    private void leaveStaleSocket() throws IOException {
        ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                .bind(UnixDomainSocketAddress.of(path))
                .close();
    }

    private void assertRefused(String text, boolean force) {
        assertRefused(text, force, Duration.ZERO);
    }

    private void assertRefused(String text, boolean force, Duration patience) {
        EscrowException e = assertThrows(EscrowException.class, () -> SocketFile.claim(path, force, patience));
        assertEquals(text, e.text());
        assertEquals(Status.EADDRINUSE, e.status());
    }

    private List<String> names() {
        try (Stream<Path> files = Files.list(directory)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String modeOf(Path file) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(file));
    }
}
