package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.EscrowException;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.codec.Wire;
import io.escrow.testing.TestProcess;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A client with hardly any open files left works without batches of descriptors, or reports what it lacks. */
class FewOpenFilesIT {

    private static final int MOST_LEFT = 8;
    private static final String WITHOUT_BATCHES = "connecting again without batches";

    @TempDir
    Path directory;

    @Test
    void clientThatCanMakeNoRingWorksWithoutBatches() throws Exception {
        Epoll.ensureAvailability();
        assumeTrue(Wire.keepsFlags(), "no io_uring");
        List<String> command = new ArrayList<>(List.of("bash", "-c", "ulimit -n 100; exec \"$@\"", "bash"));
        try (TestDaemon daemon = TestDaemon.start(directory)) {
            command.addAll(TestClient.program(CrampedClient.class, daemon.path()));
            try (TestProcess client = new TestProcess(new ProcessBuilder(command))) {
                assertEquals(0, client.awaitExit(), () -> client.lines().toString());
                List<String> lines = client.lines();
                assertTrue(lines.stream().anyMatch(line -> line.contains(WITHOUT_BATCHES)), lines::toString);
                List<String> results = lines.stream()
                        .filter(line -> !line.contains(WITHOUT_BATCHES))
                        .toList();
                assertEquals(MOST_LEFT, results.size(), lines::toString);
                for (String result : results) {
                    assertTrue(
                            result.matches("\\d left: (stored and fetched|EMFILE: .*Too many open files.*)"), result);
                }
                assertTrue(results.get(0).contains("EMFILE"), lines::toString);
                assertTrue(results.get(MOST_LEFT - 1).endsWith("stored and fetched"), lines::toString);
            }
        }
    }

    /** Connects with one, two, three, ... open files left. */
    static final class CrampedClient {

        private CrampedClient() {}

        public static void main(String[] args) throws Exception {
            Epoll.ensureAvailability();
            // Classes can't be loaded later from where they are files of their own.
            storeAndFetch(args[0], true);
            storeAndFetch(args[0], false);
            Deque<FileDescriptor> filling = fill();
            for (int left = 1; left <= MOST_LEFT; left++) {
                filling.pop().close();
                try {
                    storeAndFetch(args[0], true);
                    System.out.println(left + " left: stored and fetched");
                } catch (EscrowException e) {
                    System.out.println(left + " left: " + e.getMessage());
                }
            }
        }

        private static void storeAndFetch(String path, boolean batches) throws IOException {
            try (BlockingEscrow escrow = EscrowClient.builder()
                    .path(path)
                    .descriptorBatches(batches)
                    .connectBlocking(Duration.ofSeconds(TestProcess.PATIENCE_SECONDS))) {
                escrow.add(1, 0, new byte[1]);
                escrow.get(1, 0).close();
                escrow.delete(1, 0);
            }
        }

        private static Deque<FileDescriptor> fill() {
            Deque<FileDescriptor> opened = new ArrayDeque<>();
            try {
                while (true) {
                    opened.push(FileDescriptor.from("/dev/null"));
                }
            } catch (IOException full) {
                return opened;
            }
        }
    }
}
