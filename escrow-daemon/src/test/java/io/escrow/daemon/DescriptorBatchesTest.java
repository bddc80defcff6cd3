package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.BulkResult;
import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.SlotKey;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.codec.Wire;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.testing.TestFile;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Descriptors come back as they went in, whichever of the two sides may send many of them in a message. */
@SuppressWarnings("try") // daemons are only opened and closed
class DescriptorBatchesTest {

    private static final Duration TIMEOUT = Duration.ofSeconds(30);
    private static final int O_CLOEXEC = 02000000;
    private static final int O_NONBLOCK = 04000;
    /** Several packets, the last of which is not full. */
    private static final int SOCKETS = 300;

    @TempDir
    Path directory;

    @BeforeEach
    void needsRings() {
        Epoll.ensureAvailability();
        assumeTrue(Wire.keepsFlags(), "no io_uring");
    }

    @ParameterizedTest
    @CsvSource({"true, true", "true, false", "false, true", "false, false"})
    void socketsComeBackInOrder(boolean daemonMay, boolean clientMay) throws Exception {
        List<Socket> sockets = new ArrayList<>();
        try (EscrowDaemon daemon = start(daemonMay);
                BlockingEscrow escrow = connect(clientMay)) {
            for (int i = 0; i < SOCKETS; i++) {
                sockets.add(Socket.newSocketStream());
            }
            BulkResult added = escrow.addAll(IntStream.range(0, SOCKETS)
                    .mapToObj(i -> new Deposit(1, i, i % 7 == 0 ? null : sockets.get(i), new byte[i % 50]))
                    .iterator());
            assertEquals(SOCKETS, added.succeeded());
            List<Entry> entries = new ArrayList<>();
            escrow.getAll(1, entries::add);

            assertEquals(SOCKETS, entries.size());
            for (int i = 0; i < SOCKETS; i++) {
                try (Entry entry = entries.get(i)) {
                    assertEquals(i, entry.index());
                    assertEquals(i % 50, entry.payload().length);
                    assertEquals(i % 7 != 0, entry.hasDescriptor());
                    if (entry.hasDescriptor()) {
                        FileDescriptor descriptor = entry.takeDescriptor();
                        assertEquals(inode(sockets.get(i)), inode(descriptor));
                        assertTrue((flags(descriptor) & O_NONBLOCK) != 0);
                        // Only what comes through a ring is close-on-exec.
                        assertEquals(daemonMay && clientMay, (flags(descriptor) & O_CLOEXEC) != 0);
                        descriptor.close();
                    }
                }
            }
        } finally {
            for (Socket socket : sockets) {
                socket.close();
            }
        }
    }

    /** A closed one is refused by name, and those of the same packet are stored. */
    @Test
    void refusesOnlyTheDescriptorThatCannotBeSent() throws Exception {
        List<Socket> sockets = new ArrayList<>();
        try (EscrowDaemon daemon = start(true);
                BlockingEscrow escrow = connect(true)) {
            for (int i = 0; i < 20; i++) {
                sockets.add(Socket.newSocketStream());
            }
            List<String> inodes = new ArrayList<>();
            for (Socket socket : sockets) {
                inodes.add(inode(socket));
            }
            sockets.get(11).close();
            BulkResult added = escrow.addAll(IntStream.range(0, 20)
                    .mapToObj(i -> new Deposit(1, i, sockets.get(i), new byte[0]))
                    .iterator());

            assertEquals(19, added.succeeded());
            assertEquals(Set.of(new SlotKey(1, 11)), added.failures().keySet());
            for (int i = 0; i < 20; i++) {
                if (i != 11) {
                    FileDescriptor descriptor = escrow.get(1, i).takeDescriptor();
                    assertEquals(inodes.get(i), inode(descriptor));
                    descriptor.close();
                }
            }
        } finally {
            for (Socket socket : sockets) {
                socket.close();
            }
        }
    }

    /** Those of files that are not known to be non-blocking have a message each, also in a session with batches. */
    @Test
    void plainDescriptorsLeaveNoneOpen() throws Exception {
        TestFile file = new TestFile(directory, "file");
        FileDescriptor open = file.open();
        try (EscrowDaemon daemon = start(true)) {
            for (int round = 0; round < 3; round++) {
                try (BlockingEscrow escrow = connect(true)) {
                    escrow.addAll(IntStream.range(0, SOCKETS)
                            .mapToObj(i -> new Deposit(1, i, open, new byte[0]))
                            .iterator());
                    escrow.getAll(1, Entry::close);
                    file.awaitOpenCount(1 + SOCKETS);
                }
            }
        }
        file.awaitOpenCount(1);
        open.close();
    }

    /** The session moves with what it has agreed on. */
    @Test
    void goOnWhenAnotherDaemonTakesOver() throws Exception {
        List<Socket> sockets = new ArrayList<>();
        for (int i = 0; i < SOCKETS; i++) {
            sockets.add(Socket.newSocketStream());
        }
        try (EscrowDaemon first = start(true)) {
            first.allowSuccessor(jar -> {
                throw new IllegalStateException("nobody asks for one");
            });
            try (BlockingEscrow escrow = connect(true);
                    EscrowDaemon second = EscrowDaemon.takeOver(options(true))) {
                BulkResult added = escrow.addAll(IntStream.range(0, SOCKETS)
                        .mapToObj(i -> new Deposit(1, i, sockets.get(i), new byte[0]))
                        .iterator());
                assertEquals(SOCKETS, added.succeeded());
                FileDescriptor descriptor = escrow.get(1, SOCKETS - 1).takeDescriptor();
                assertEquals(inode(sockets.get(SOCKETS - 1)), inode(descriptor));
                assertTrue((flags(descriptor) & O_CLOEXEC) != 0);
                descriptor.close();
            }
        } finally {
            for (Socket socket : sockets) {
                socket.close();
            }
        }
    }

    /** A ring is two open files, and a client may wait for hours. */
    @Test
    void clientHasNoRingWhileItWaits() throws Exception {
        long before = rings();
        try (EscrowDaemon daemon = start(true)) {
            BlockingEscrow serving = connect(true);
            assertEquals(before + 2, rings()); // The daemon has one, too.
            CountDownLatch queued = new CountDownLatch(1);
            CompletableFuture<EscrowClient> waiting = EscrowClient.builder()
                    .path(directory.resolve("s").toString())
                    .onWaiting(w -> queued.countDown())
                    .connect();
            assertTrue(queued.await(30, TimeUnit.SECONDS));
            assertEquals(before + 2, rings());

            serving.close();
            try (EscrowClient client = waiting.get(30, TimeUnit.SECONDS)) {
                client.add(0, 0, new byte[3]).get(30, TimeUnit.SECONDS);
                assertTrue(rings() > before);
            }
        }
    }

    private static long rings() throws IOException {
        long count = 0;
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path descriptor : descriptors) {
                count += isRing(descriptor) ? 1 : 0;
            }
        }
        return count;
    }

    private static boolean isRing(Path descriptor) throws IOException {
        try {
            return Files.readSymbolicLink(descriptor).toString().contains("io_uring");
        } catch (NoSuchFileException e) {
            return false; // It was closed meanwhile.
        }
    }

    private DaemonOptions options(boolean mayUseBatches) throws IOException {
        return DaemonOptions.builder()
                .path(directory.resolve("s").toString())
                .descriptorBatches(mayUseBatches)
                .build();
    }

    private EscrowDaemon start(boolean mayUseBatches) throws IOException {
        return EscrowDaemon.start(options(mayUseBatches));
    }

    private BlockingEscrow connect(boolean mayUseBatches) throws IOException {
        return EscrowClient.builder()
                .path(directory.resolve("s").toString())
                .descriptorBatches(mayUseBatches)
                .connectBlocking(TIMEOUT);
    }

    private static String inode(FileDescriptor descriptor) throws IOException {
        return Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor.intValue()))
                .toString();
    }

    private static int flags(FileDescriptor descriptor) throws IOException {
        return Files.readAllLines(Path.of("/proc/self/fdinfo/" + descriptor.intValue())).stream()
                .filter(line -> line.startsWith("flags:"))
                .mapToInt(line ->
                        Integer.parseInt(line.substring("flags:".length()).strip(), 8))
                .findFirst()
                .orElseThrow();
    }
}
