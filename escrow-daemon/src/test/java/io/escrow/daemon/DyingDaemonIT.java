package io.escrow.daemon;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.BulkResult;
import io.escrow.EscrowConnectionException;
import io.escrow.EscrowException;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The daemon is killed: clients are told at once and keep nothing, and a new daemon serves them at the same path. */
class DyingDaemonIT {

    private static final int TAG = 1;
    private static final int FILES = 1200;

    @TempDir
    static Path directory;

    @AutoClose
    private static TestFiles files;

    private long descriptors;
    private TestDaemon daemon;
    private EscrowClient client;

    @BeforeAll
    static void openFiles() throws IOException {
        files = new TestFiles(directory.resolve("files"), FILES);
        // What is opened once only, is opened now.
        try (TestDaemon once = TestDaemon.start(directory)) {
            once.warmUp();
        }
    }

    @BeforeEach
    void start() throws Exception {
        descriptors = own();
        daemon = TestDaemon.start(directory, "--force");
        client = daemon.client().connect().get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        client.toBlocking(TestDaemon.TIMEOUT).close();
        daemon.close();
        try (TestDaemon next = TestDaemon.start(directory, "--force");
                BlockingEscrow escrow = next.connect()) {
            assertEquals(List.of(), escrow.list(TAG));
            escrow.add(TAG, 0, files.get(0), TestFiles.payload(0));
        }
        await("descriptors of this process").atMost(TestDaemon.TIMEOUT).until(() -> own() <= descriptors);
    }

    private static long own() {
        return TestProcess.descriptors(ProcessHandle.current().pid());
    }

    private static EscrowConnectionException failure(CompletableFuture<?> future) {
        Throwable cause = assertThrows(
                        ExecutionException.class, () -> future.get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS))
                .getCause();
        return assertInstanceOf(EscrowConnectionException.class, cause);
    }

    @Test
    void pendingRequestsFail() throws Exception {
        daemon.pause();
        List<CompletableFuture<?>> pending = new ArrayList<>();
        pending.add(client.add(TAG, 0, files.get(0), TestFiles.payload(0)));
        pending.add(client.get(TAG, 0));
        pending.add(client.update(TAG, 0, TestFiles.payload(0)));
        pending.add(client.tag(TAG));
        pending.add(client.list(TAG));
        pending.add(client.addAll(files.deposits(TAG, 0, FILES)));
        pending.add(client.getAll(TAG, entry -> entry.close()));
        CompletableFuture<?> last = client.delete(TAG, 0);
        client.eventLoop().submit(() -> {}).get();
        assertFalse(pending.stream().anyMatch(CompletableFuture::isDone));

        daemon.kill();
        for (CompletableFuture<?> future : pending) {
            failure(future);
        }
        assertTrue(failure(pending.get(0)).maybeCarriedOut());
        assertFalse(failure(last).maybeCarriedOut());
        client.closed().toCompletableFuture().get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS);

        EscrowConnectionException late = failure(client.add(TAG, 1, files.get(1), TestFiles.payload(1)));
        assertFalse(late.maybeCarriedOut());
        assertEquals(Status.ECONNRESET, late.status());
        assertTrue(late.getMessage().contains("the connection to escrowd ended"), late::getMessage);
    }

    @Test
    void waitingClientsFail() throws Exception {
        CompletableFuture<Void> waits = new CompletableFuture<>();
        CompletableFuture<EscrowClient> second =
                daemon.client().onWaiting(waiting -> waits.complete(null)).connect();
        waits.get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS);
        daemon.kill();
        Throwable cause = assertThrows(
                        ExecutionException.class, () -> second.get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS))
                .getCause();
        assertEquals(
                Status.ECONNREFUSED,
                assertInstanceOf(EscrowException.class, cause).status());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 300})
    void killedInBulkAdd(int at) {
        assertFails(client.addAll(IntStream.range(0, FILES)
                .peek(i -> killAt(at, i))
                .mapToObj(i -> files.deposit(TAG, i))
                .iterator()));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 300, 1199})
    void killedInBulkGet(int at) throws Exception {
        fill();
        List<String> wrong = new ArrayList<>();
        CompletableFuture<BulkResult> fetched = client.getAll(TAG, entry -> {
            files.check(entry, wrong);
            killAt(at, entry.index());
        });
        if (at == FILES - 1) {
            // All answers were there already.
            assertEquals(
                    FILES,
                    fetched.get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS).succeeded());
        } else {
            assertFails(fetched);
        }
        assertEquals(List.of(), wrong);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 1100})
    void killedInBulkDelete(int at) throws Exception {
        fill();
        assertFails(client.deleteAll(IntStream.range(0, FILES)
                .peek(i -> killAt(at, i))
                .mapToObj(i -> new SlotKey(TAG, i))
                .iterator()));
    }

    private void fill() throws Exception {
        BulkResult filled = client.addAll(files.deposits(TAG, 0, FILES)).get(30, TimeUnit.SECONDS);
        assertEquals(FILES, filled.succeeded());
    }

    /** Kills the daemon from the event loop of the client, which sees that only after this. */
    private void killAt(int at, int now) {
        if (now == at) {
            daemon.kill();
        }
    }

    private void assertFails(CompletableFuture<BulkResult> bulk) {
        assertEquals(Status.ECONNRESET, failure(bulk).status());
        failure(client.tag(TAG));
    }
}
