package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.BulkResult;
import io.escrow.EscrowConnectionException;
import io.escrow.SlotKey;
import io.escrow.client.EscrowClient;
import io.escrow.client.SessionListener;
import io.escrow.testing.TestProcess;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Kills the daemon of a client that connects again by itself, in the middle of bulk calls, while another one stands by. */
class StandbyReconnectIT {

    private static final int TAG = 1;
    private static final int FILES = 300;
    private static final int KILLS = 2;

    @TempDir
    Path directory;

    @Test
    void whatIsNotInDoubtIsInTheOneThatStoodBy() throws Exception {
        AtomicInteger lost = new AtomicInteger();
        AtomicInteger regained = new AtomicInteger();
        try (TestFiles files = new TestFiles(directory.resolve("files"), FILES);
                DaemonPair daemons = DaemonPair.start(directory, "--force")) {
            EscrowClient client = daemons.client()
                    .reconnect(TestDaemon.TIMEOUT, KILLS)
                    .sessionListener(new SessionListener() {
                        @Override
                        public void sessionLost(int requests) {
                            lost.incrementAndGet();
                        }

                        @Override
                        public void sessionRegained() {
                            regained.incrementAndGet();
                        }
                    })
                    .connect()
                    .get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS);
            Set<Integer> stored = new HashSet<>();
            Set<Integer> doubtful = new HashSet<>();
            for (int kill = 0; kill < KILLS; kill++) {
                int from = kill * FILES / KILLS;
                int to = from + FILES / KILLS;
                CompletableFuture<BulkResult> bulk = client.addAll(files.deposits(TAG, from, to));
                daemons.primary().kill();
                BulkResult result = bulk.get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS);
                daemons.awaitPromoted();

                Set<Integer> failed =
                        result.failures().keySet().stream().map(SlotKey::index).collect(Collectors.toSet());
                result.failures()
                        .values()
                        .forEach(failure -> assertTrue(
                                assertInstanceOf(EscrowConnectionException.class, failure)
                                        .maybeCarriedOut(),
                                failure.getMessage()));
                doubtful.addAll(failed);
                IntStream.range(from, to).filter(i -> !failed.contains(i)).forEach(stored::add);
                if (kill < KILLS - 1) {
                    daemons.startStandby();
                }
            }
            Set<Integer> held = client.list(TAG).get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS).stream()
                    .map(slot -> slot.index())
                    .collect(Collectors.toSet());
            assertTrue(held.containsAll(stored), () -> stored + " (held: " + held + ")");
            held.removeAll(stored);
            assertTrue(doubtful.containsAll(held), () -> doubtful + " (held, too: " + held + ")");
            assertEquals(lost.get(), regained.get());
            client.close();
        }
    }
}
