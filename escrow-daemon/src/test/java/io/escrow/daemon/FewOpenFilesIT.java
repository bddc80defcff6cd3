package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.EscrowException;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.client.EscrowClientBuilder;
import io.escrow.codec.Wire;
import io.escrow.testing.TestProcess;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A client with hardly any open files left works without batches of descriptors, or reports what it lacks. */
class FewOpenFilesIT {

    private static final String RESULT = "result: ";
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
                List<String> results =
                        lines.stream().filter(line -> line.startsWith(RESULT)).toList();
                assertEquals(3, results.size(), lines::toString);
                assertTrue(results.get(0).startsWith(RESULT + "EMFILE: no event loop can be made"), lines::toString);
                assertTrue(results.get(1).startsWith(RESULT + "EMFILE: no socket can be opened"), lines::toString);
                // A socket, and no ring.
                assertEquals(RESULT + "stored and fetched", results.get(2), lines::toString);
                assertTrue(lines.stream().anyMatch(line -> line.contains(WITHOUT_BATCHES)), lines::toString);
            }
        }
    }

    /** Connects with no open file left, and with one. */
    static final class CrampedClient {

        private CrampedClient() {}

        public static void main(String[] args) throws Exception {
            EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
            // Classes can't be loaded later from where they are files of their own.
            storeAndFetch(args[0], group, true);
            storeAndFetch(args[0], group, false);
            Deque<FileDescriptor> filling = fill();
            connect(args[0], null);
            connect(args[0], group);
            filling.pop().close();
            connect(args[0], group);
            group.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
        }

        private static void connect(String path, EventLoopGroup group) throws Exception {
            try {
                storeAndFetch(path, group, true);
                System.out.println(RESULT + "stored and fetched");
            } catch (EscrowException e) {
                System.out.println(RESULT + e.getMessage());
            }
        }

        /** Returns when everything that it has opened is closed, if it has a group. */
        private static void storeAndFetch(String path, EventLoopGroup group, boolean batches) throws Exception {
            EscrowClientBuilder builder = EscrowClient.builder().path(path).descriptorBatches(batches);
            try (BlockingEscrow escrow = (group == null ? builder : builder.group(group))
                    .connectBlocking(Duration.ofSeconds(TestProcess.PATIENCE_SECONDS))) {
                escrow.add(1, 0, new byte[1]);
                escrow.get(1, 0).close();
                escrow.delete(1, 0);
            }
            if (group != null) {
                // Behind what the end of the connection has its event loop do.
                group.next()
                        .submit(() -> group.next().submit(() -> {}))
                        .sync()
                        .getNow()
                        .sync();
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
