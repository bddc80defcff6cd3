package io.escrow.daemon;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.SlotKey;
import io.escrow.client.BlockingEscrow;
import io.escrow.testing.TestProcess;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Long calls are under way while another daemon takes the place of one that serves. */
class UpgradeCallsIT {

    private static final int TAG = 1;
    private static final int SLOTS = 4_000;
    private static final int FILES = 200;

    @TempDir
    Path directory;

    private Path socketDirectory;

    @BeforeEach
    void makeDirectory() throws Exception {
        socketDirectory = Files.createDirectory(directory.resolve("d"));
    }

    /** Something that is done again and again until it is told to end. */
    private static final class Repeated implements AutoCloseable {
        private final AtomicBoolean ending = new AtomicBoolean();
        private final AtomicInteger times = new AtomicInteger();
        private final CompletableFuture<Void> done;

        interface Task {
            void run() throws Exception;
        }

        Repeated(Task task) {
            done = CompletableFuture.runAsync(
                    () -> {
                        try {
                            while (!ending.get()) {
                                task.run();
                                times.incrementAndGet();
                            }
                        } catch (Exception e) {
                            throw new AssertionError("after " + times + " times", e);
                        }
                    },
                    loop -> new Thread(loop, "repeated").start());
        }

        /** Waits until it was done some times more, or has failed. */
        void awaitMore() {
            int before = times.get();
            await().atMost(TestDaemon.TIMEOUT).until(() -> times.get() > before + 2 || done.isDone());
        }

        @Override
        public void close() {
            ending.set(true);
            done.orTimeout(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS).join();
        }
    }

    private static void fill(BlockingEscrow escrow) throws EscrowException {
        escrow.addAll(IntStream.range(0, SLOTS)
                        .mapToObj(i -> new Deposit(TAG, i, null, new byte[100]))
                        .iterator())
                .orThrow();
    }

    @Test
    void bulkCallsAndListingsGoOn() throws Exception {
        try (TestFiles files = new TestFiles(directory.resolve("files"), FILES);
                ReplacedDaemon daemon = ReplacedDaemon.start(socketDirectory, List.of());
                BlockingEscrow escrow = daemon.first().connect()) {
            fill(escrow);
            try (Repeated bulk = new Repeated(() -> storeAndFetch(escrow, files));
                    Repeated listing = new Repeated(() -> assertEquals(
                            SLOTS,
                            Operator.ask(daemon.path(), "GET /slots?tag=" + TAG)
                                    .lines()
                                    .size()))) {
                bulk.awaitMore();
                listing.awaitMore();
                daemon.upgrade();
                bulk.awaitMore();
                listing.awaitMore();
            }
        }
    }

    private static void storeAndFetch(BlockingEscrow escrow, TestFiles files) throws EscrowException {
        escrow.addAll(files.deposits(TAG + 1, 0, FILES)).orThrow();
        List<SlotKey> keys =
                IntStream.range(0, FILES).mapToObj(i -> new SlotKey(TAG + 1, i)).toList();
        List<String> wrong = new ArrayList<>();
        AtomicInteger found = new AtomicInteger();
        escrow.getAll(TAG + 1, (Entry entry) -> {
                    found.incrementAndGet();
                    files.check(entry, wrong);
                })
                .orThrow();
        escrow.deleteAll(keys.iterator()).orThrow();
        assertEquals(List.of(), wrong);
        assertEquals(FILES, found.get());
    }

    @Test
    void noOperatorThatDoesNotReadIsWaitedFor() throws Exception {
        try (ReplacedDaemon daemon = ReplacedDaemon.start(socketDirectory, List.of());
                BlockingEscrow escrow = daemon.first().connect()) {
            fill(escrow);
            try (Operator watching = Operator.begin(daemon.path(), "GET /events");
                    Operator reading = Operator.begin(daemon.path(), "GET /slots")) {
                watching.awaitChunks();
                reading.awaitChunks();
                daemon.upgrade();
                assertTrue(watching.rest().length > 0);
            }
            assertEquals(
                    SLOTS, Operator.ask(daemon.path(), "GET /slots").lines().size());
        }
    }
}
