package io.escrow.daemon;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.BulkResult;
import io.escrow.EscrowConnectionException;
import io.escrow.EscrowException;
import io.escrow.SlotKey;
import io.escrow.client.DaemonLaunch;
import io.escrow.client.EscrowClient;
import io.escrow.client.EscrowClientBuilder;
import io.escrow.client.SessionListener;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Kills the daemon of clients that connect again by themselves, under load. */
class ReconnectIT {

    private static final int TAG = 1;
    private static final int FILES = 300;
    private static final int KILLS = 3;

    @TempDir
    Path directory;

    private final AtomicInteger inDoubt = new AtomicInteger();
    private final AtomicInteger regained = new AtomicInteger();
    private EscrowClient client;

    private EscrowClientBuilder builder(Path path) {
        return EscrowClient.builder()
                .path(path.toString())
                .reconnect(TestDaemon.TIMEOUT, KILLS)
                .sessionListener(new SessionListener() {
                    @Override
                    public void sessionLost(int requests) {
                        inDoubt.addAndGet(requests);
                    }

                    @Override
                    public void sessionRegained() {
                        regained.incrementAndGet();
                    }
                });
    }

    private void connect(EscrowClientBuilder builder) throws Exception {
        client = builder.connect().get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    @AfterEach
    void close() {
        if (client != null) {
            client.close();
        }
    }

    private static void assertInDoubt(EscrowException failure) {
        assertTrue(assertInstanceOf(EscrowConnectionException.class, failure).maybeCarriedOut(), failure.getMessage());
    }

    @Test
    void storesWhatIsNotInDoubtInTheNextDaemon() throws Exception {
        Set<Integer> stored = new HashSet<>();
        try (TestFiles files = new TestFiles(directory.resolve("files"), FILES)) {
            TestDaemon daemon = TestDaemon.start(directory);
            try {
                connect(builder(daemon.path()));
                int failed = 0;
                for (int kill = 0; kill < KILLS; kill++) {
                    CompletableFuture<BulkResult> bulk = client.addAll(files.deposits(TAG, 0, FILES));
                    List<CompletableFuture<Void>> singles = new ArrayList<>();
                    for (int i = 0; i < FILES; i++) {
                        singles.add(client.update(TAG, i, new byte[] {1}));
                    }
                    daemon.kill();
                    daemon.close();
                    daemon = TestDaemon.start(directory, "--force");

                    BulkResult result = bulk.get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS);
                    result.failures().values().forEach(ReconnectIT::assertInDoubt);
                    failed += result.failures().size();
                    assertEquals(FILES, result.succeeded() + result.failures().size());
                    for (CompletableFuture<Void> single : singles) {
                        // Of a slot that is in doubt, or was in the daemon before, there is nothing to update.
                        single.handle((nothing, failure) -> failure)
                                .get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS);
                    }
                    stored.clear();
                    stored.addAll(client.list(TAG).get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS).stream()
                            .map(slot -> slot.index())
                            .toList());
                    for (SlotKey doubtful : result.failures().keySet()) {
                        assertTrue(!stored.contains(doubtful.index()), "sent twice: " + doubtful);
                    }
                }
                assertEquals(KILLS, regained.get());
                assertTrue(inDoubt.get() >= failed, inDoubt + " in doubt, and " + failed + " failed");
                assertTrue(client.addAll(files.deposits(TAG, 0, FILES))
                        .get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS)
                        .failures()
                        .isEmpty());
            } finally {
                close();
                daemon.close();
            }
        }
    }

    @Test
    void startsADaemonAgain() throws Exception {
        Path path = directory.resolve("s");
        connect(builder(path)
                .launch(DaemonLaunch.onDemand().from(Path.of(TestDaemon.JAR)).replaceDeadSocket(true)));
        client.add(TAG, 0, new byte[1]).get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS);
        ProcessHandle first = daemon(path);
        first.destroyForcibly();
        await().atMost(TestDaemon.TIMEOUT).until(() -> regained.get() == 1);
        ProcessHandle second = daemon(path);
        try {
            assertTrue(second.pid() != first.pid());
            assertEquals(
                    0,
                    client.tag(TAG)
                            .get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS)
                            .used());
        } finally {
            second.destroy();
            second.onExit().get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS);
        }
    }

    private static ProcessHandle daemon(Path path) throws IOException {
        long pid = Long.parseLong(Files.readAllLines(Path.of(path + ".lock")).get(0));
        return ProcessHandle.of(pid).orElseThrow();
    }
}
