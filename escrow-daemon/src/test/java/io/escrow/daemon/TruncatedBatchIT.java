package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.BulkResult;
import io.escrow.Deposit;
import io.escrow.EscrowException;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.client.BlockingEscrow;
import io.escrow.codec.Wire;
import io.escrow.testing.TestProcess;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A daemon that may not open enough files for the descriptors of a packet: the kernel gives it the first ones, and drops
 * the others (MSG_CTRUNC).
 */
class TruncatedBatchIT {

    private static final int TAG = 1;
    private static final int COUNT = 20;

    @TempDir
    Path directory;

    private final List<Socket> sockets = new ArrayList<>();

    @BeforeEach
    void openSockets() {
        assumeTrue(Wire.keepsFlags(), "no io_uring");
        for (int i = 0; i < COUNT; i++) {
            sockets.add(Socket.newSocketStream());
        }
    }

    @AfterEach
    void closeSockets() throws IOException {
        for (Socket socket : sockets) {
            socket.close();
        }
    }

    @Test
    void namesWhatWasLostAndGoesOn() throws IOException {
        try (TestDaemon daemon = TestDaemon.start(directory)) {
            long before = daemon.warmUp();
            try (BlockingEscrow escrow = daemon.connect()) {
                daemon.awaitDescriptors(before + TestDaemon.SESSION);
                for (int room : new int[] {0, 1, 5, COUNT - 1}) {
                    limitWithRoom(daemon, room);
                    BulkResult result = addAll(escrow);
                    limit(daemon, hardLimit(daemon));

                    assertEquals(
                            IntStream.range(room, COUNT)
                                    .mapToObj(i -> new SlotKey(TAG, i))
                                    .collect(Collectors.toSet()),
                            result.failures().keySet());
                    result.failures().values().forEach(TruncatedBatchIT::assertLost);
                    daemon.awaitDescriptors(before + TestDaemon.SESSION + room);
                    assertHolds(escrow, room);
                    empty(escrow, room);
                    daemon.awaitDescriptors(before + TestDaemon.SESSION);
                }
                assertEquals(Map.of(), addAll(escrow).failures());
                assertHolds(escrow, COUNT);
                empty(escrow, COUNT);
            }
            daemon.awaitDescriptors(before);
        }
    }

    private BulkResult addAll(BlockingEscrow escrow) throws EscrowException {
        return escrow.addAll(IntStream.range(0, COUNT)
                .mapToObj(i -> new Deposit(TAG, i, sockets.get(i), new byte[i]))
                .iterator());
    }

    private static void assertLost(EscrowException e) {
        assertEquals(Status.EMFILE, e.status());
        assertTrue(e.text().contains("was lost: too many open"), e::text);
    }

    private void assertHolds(BlockingEscrow escrow, int count) throws IOException {
        assertEquals(count, escrow.tag(TAG).used());
        for (int i = 0; i < count; i++) {
            FileDescriptor descriptor = escrow.get(TAG, i).takeDescriptor();
            assertEquals(inode(sockets.get(i)), inode(descriptor));
            descriptor.close();
        }
    }

    private static void empty(BlockingEscrow escrow, int count) throws EscrowException {
        for (int i = 0; i < count; i++) {
            escrow.delete(TAG, i);
        }
    }

    private static Path inode(FileDescriptor descriptor) throws IOException {
        return Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor.intValue()));
    }

    /** Lets a process open as many files as there are now, and some more. */
    private static void limitWithRoom(TestProcess process, int room) throws IOException {
        Set<Integer> open;
        try (Stream<Path> links = Files.list(Path.of("/proc/" + process.pid() + "/fd"))) {
            open = links.map(link -> Integer.parseInt(link.getFileName().toString()))
                    .collect(Collectors.toSet());
        }
        int number = 0;
        for (int free = 0; free < room || open.contains(number); number++) {
            free += open.contains(number) ? 0 : 1;
        }
        limit(process, Integer.toString(number));
    }

    private static void limit(TestProcess process, String files) throws IOException {
        try (TestProcess change = new TestProcess(
                new ProcessBuilder("prlimit", "--pid", Long.toString(process.pid()), "--nofile=" + files + ":"))) {
            assertEquals(0, change.awaitExit(), () -> change.lines().toString());
        }
    }

    private static String hardLimit(TestProcess process) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + process.pid() + "/limits")).stream()
                .filter(line -> line.startsWith("Max open files"))
                .map(line -> line.split("\\s+", -1)[4])
                .findFirst()
                .orElseThrow();
    }
}
