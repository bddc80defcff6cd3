package io.escrow.daemon;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.SlotKey;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.control.StatusView;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A process that stands by serves when the one that serves ends. {@code -Descrow.standby.kills} says how many processes are
 * killed at random.
 */
class StandbyIT {

    private static final int TAG = 1;
    private static final int KILLS = Integer.getInteger("escrow.standby.kills", 2);
    private static final long SEED = Long.getLong("escrow.standby.seed", new Random().nextLong());

    @TempDir
    Path directory;

    @AutoClose
    private TestFiles files;

    @BeforeEach
    void makeFiles() throws IOException {
        files = new TestFiles(directory.resolve("files"), 300);
    }

    private int verifyFiles(BlockingEscrow escrow) throws IOException {
        List<String> wrong = new ArrayList<>();
        int slots = escrow.getAll(TAG, entry -> {
                    try (entry) {
                        files.check(entry, wrong);
                    }
                })
                .orThrow()
                .succeeded();
        assertEquals(List.of(), wrong);
        return slots;
    }

    /** Waits until all that was counted is told. */
    private static void awaitFigures(DaemonPair pair) {
        await().atMost(TestDaemon.TIMEOUT)
                .pollDelay(1_500, MILLISECONDS)
                .until(() -> pair.standbyView().inStep());
    }

    @Test
    void sessionAtRestGoesOnWhenItsDaemonIsKilled() throws Exception {
        try (DaemonPair pair = DaemonPair.start(directory)) {
            BlockingEscrow escrow = pair.client().connectBlocking(TestDaemon.TIMEOUT);
            escrow.addAll(files.deposits(TAG, 0, 300)).orThrow();
            escrow.add(TAG, 1000, new byte[] {1, 2, 3});
            escrow.update(TAG, 1000, new byte[] {4});
            CompletableFuture<EscrowClient> next = pair.client().connect();
            await().atMost(TestDaemon.TIMEOUT).until(() -> pair.status().waiting() == 1);
            awaitFigures(pair);
            StatusView before = pair.status();

            pair.primary().kill();
            pair.awaitPromoted();

            StatusView after = pair.status();
            assertNotNull(after.session(), pair::logs);
            assertEquals(1, after.waiting());
            assertEquals(before.session().requests(), after.session().requests());
            assertEquals(before.counters().requests(), after.counters().requests());
            assertEquals(before.counters().sessions(), after.counters().sessions());
            assertEquals(301, after.slots());
            assertEquals(300, after.descriptors());
            assertTrue(after.standby().wanted());
            assertNull(after.standby().pid());

            assertEquals(1, escrow.get(TAG, 1000).payload().length);
            escrow.delete(TAG, 1000);
            pair.startStandby(List.of());
            pair.primary().kill();
            pair.awaitPromoted();
            escrow.add(TAG, 299, files.get(299), TestFiles.payload(299));
            assertEquals(300, verifyFiles(escrow), pair::logs);
            escrow.close();
            next.get(TestProcess.PATIENCE_SECONDS, SECONDS).close();
        }
    }

    @Test
    void sigtermHandsOver() throws Exception {
        try (DaemonPair pair = DaemonPair.start(directory)) {
            EscrowClient client = pair.client().connect().join();
            client.addAll(files.deposits(TAG, 0, 300)).join().orThrow();
            try (ChangingLoad load = new ChangingLoad(client, files, 16, 1)) {
                await().atMost(TestDaemon.TIMEOUT).until(() -> load.changes() > 100);
                pair.primary().terminate();
                assertEquals(143, pair.primary().awaitExit());
                int before = load.changes();
                await().atMost(TestDaemon.TIMEOUT).until(() -> load.changes() > before + 100);
                assertEquals(0, load.end(), pair::logs);
                pair.awaitPromoted();
                BlockingEscrow escrow = client.toBlocking(TestDaemon.TIMEOUT);
                load.check(escrow);
                assertEquals(300, verifyFiles(escrow));
            }
        }
    }

    /** The primary was told to end, and is killed before it has. */
    @ParameterizedTest
    @ValueSource(strings = {"take", "stopped", "commit", "prepared", "released"})
    void primaryIsKilledWhileItHandsOver(String step) throws Exception {
        try (DaemonPair pair = DaemonPair.start(directory, List.of("-Descrow.test.step=" + step), List.of())) {
            EscrowClient client = pair.client().connect().join();
            client.addAll(files.deposits(TAG, 0, 300)).join().orThrow();
            ChangingLoad load = new ChangingLoad(client, files, 16, 1);
            await().atMost(TestDaemon.TIMEOUT).until(() -> load.changes() > 100);
            pair.primary().terminate();
            pair.primary().awaitLine("stopped at " + step);
            pair.primary().kill();
            pair.awaitPromoted();
            load.end();
            client.close();
            try (BlockingEscrow escrow = pair.client().connectBlocking(TestDaemon.TIMEOUT)) {
                load.check(escrow);
                assertEquals(300, verifyFiles(escrow), pair::logs);
            }
        }
    }

    /** A client in the middle of a packet does not keep its daemon from ending, and what others have stored is kept. */
    @Test
    void sigtermInTheMiddleOfAPacket() throws Exception {
        try (DaemonPair pair = DaemonPair.start(directory);
                RawClient client = RawClient.open(pair.path())) {
            client.ask(RawClient.add(TAG, 1, new byte[3]));
            byte[] add = RawClient.add(TAG, 2, new byte[3]);
            client.bytes(RawClient.prelude(add.length, 0));
            pair.primary().awaitAsleep();
            pair.primary().terminate();
            assertEquals(143, pair.primary().awaitExit());
            pair.awaitPromoted();
            assertThrows(AssertionError.class, client::receive, pair::logs);
            try (BlockingEscrow escrow = pair.client().connectBlocking(TestDaemon.TIMEOUT)) {
                assertEquals(1, escrow.tag(TAG).used());
            }
        }
    }

    @Test
    void standbyIsKilled() throws Exception {
        try (DaemonPair pair = DaemonPair.start(directory)) {
            EscrowClient client = pair.client().connect().join();
            try (ChangingLoad load = new ChangingLoad(client, files, 16, 1)) {
                await().atMost(TestDaemon.TIMEOUT).until(() -> load.changes() > 100);
                pair.standby().kill();
                int before = load.changes();
                await().atMost(TestDaemon.TIMEOUT).until(() -> load.changes() > before + 100);
                pair.startStandby(List.of());
                int then = load.changes();
                await().atMost(TestDaemon.TIMEOUT).until(() -> load.changes() > then + 100);
                assertEquals(0, load.end(), pair::logs);
                load.check(client.toBlocking(TestDaemon.TIMEOUT));
            }
        }
    }

    @Test
    void noDescriptorIsLeaked() throws Exception {
        try (DaemonPair pair = DaemonPair.start(directory)) {
            changeAll(pair);
            pair.primary().kill();
            pair.awaitPromoted();
            changeAll(pair);
            await().atMost(TestDaemon.TIMEOUT)
                    .pollDelay(500, MILLISECONDS)
                    .until(() -> pair.status().session() == null);
            long open = pair.primary().descriptors();
            for (int i = 0; i < 2; i++) {
                pair.startStandby(List.of());
                changeAll(pair);
                pair.standby().kill();
                changeAll(pair);
            }
            await().atMost(TestDaemon.TIMEOUT)
                    .untilAsserted(() -> assertEquals(open, pair.primary().descriptors(), pair::logs));
        }
    }

    private void changeAll(DaemonPair pair) throws IOException {
        try (BlockingEscrow escrow = pair.client().connectBlocking(TestDaemon.TIMEOUT)) {
            escrow.addAll(files.deposits(TAG, 0, 300)).orThrow();
            escrow.deleteAll(IntStream.range(0, 300)
                            .mapToObj(i -> new SlotKey(TAG, i))
                            .iterator())
                    .orThrow();
        }
    }

    /** A process that has a part of the slots serves none of them. */
    @Test
    void primaryIsKilledBeforeTheStandbyIsInStep() throws Exception {
        try (DaemonPair pair = DaemonPair.start(directory, List.of("-Descrow.test.step=snapshot"), List.of())) {
            try (BlockingEscrow escrow = pair.client().connectBlocking(TestDaemon.TIMEOUT)) {
                escrow.addAll(files.deposits(TAG, 0, 300)).orThrow();
            }
            pair.standby().kill();
            TestProcess next = pair.startOne(List.of());
            pair.primary().awaitLine("stopped at snapshot");
            pair.primary().kill();
            assertEquals(1, next.awaitExit(), pair::logs);
            assertTrue(next.lines().toString().contains("--force"), pair::logs);
        }
    }

    @Test
    void sessions() throws Exception {
        try (DaemonPair pair = DaemonPair.start(directory);
                RawClient client = RawClient.connect(pair.path())) {
            await().atMost(TestDaemon.TIMEOUT).until(() -> pair.status().session() != null);
            pair.primary().kill();
            pair.awaitPromoted();
            client.greet();
            assertEquals(
                    0, client.ask(RawClient.add(TAG, 1, new byte[3])).only().errno(), pair::logs);
            pair.startStandby(List.of());
            byte[] add = RawClient.add(TAG, 2, new byte[3]);
            client.bytes(RawClient.prelude(add.length, 0));
            client.bytes(Arrays.copyOf(add, 10));
            pair.primary().awaitAsleep();
            pair.primary().kill();
            pair.awaitPromoted();
            // What was read of the packet is gone.
            assertThrows(AssertionError.class, client::receive, pair::logs);
            try (BlockingEscrow escrow = pair.client().connectBlocking(TestDaemon.TIMEOUT)) {
                assertEquals(1, escrow.tag(TAG).used());
            }
        }
    }

    @Test
    void upgradeLetsTheStandbyFollowTheNewOne() throws Exception {
        try (DaemonPair pair = DaemonPair.start(directory)) {
            EscrowClient client = pair.client().connect().join();
            try (ChangingLoad load = new ChangingLoad(client, files, 16, 1)) {
                long old = pair.primary().pid();
                TestProcess command = new TestProcess(new ProcessBuilder(
                        TestDaemon.command("ctl", "upgrade", pair.path().toString())));
                assertEquals(0, command.awaitExit(), () -> command.lines() + pair.logs());
                long successor = pair.serving();
                try {
                    assertFalse(old == successor);
                    pair.awaitInStep();
                    assertEquals(pair.standby().pid(), pair.standbyView().pid().longValue());
                    assertEquals(0, load.end(), pair::logs);
                } finally {
                    ReplacedDaemon.kill(successor);
                }
                pair.awaitPromoted();
                load.check(client.toBlocking(TestDaemon.TIMEOUT));
            }
        }
    }

    @Test
    void stoppedStandbyIsLeftBehindAndDoesNotServe() throws Exception {
        try (DaemonPair pair = DaemonPair.start(directory)) {
            EscrowClient client = pair.client().connect().join();
            BlockingEscrow escrow = client.toBlocking(TestDaemon.TIMEOUT);
            escrow.add(TAG, 1, new byte[1]);
            pair.standby().pause();
            escrow.add(TAG, 2, new byte[1]);
            pair.primary().kill();
            pair.standby().resume();
            assertEquals(1, pair.standby().awaitExit(), pair::logs);
            assertTrue(pair.standby().lines().toString().contains("--force"), pair::logs);
            client.close();
        }
    }

    @Test
    void unclaimedSlotsAreClosed() throws Exception {
        try (DaemonPair pair = DaemonPair.start(directory, "--unclaimed-timeout=1")) {
            try (BlockingEscrow escrow = pair.client().connectBlocking(TestDaemon.TIMEOUT)) {
                escrow.add(TAG, 1, files.get(1), TestFiles.payload(1));
            }
            await().atMost(TestDaemon.TIMEOUT).until(() -> pair.status().slots() == 0);
            pair.primary().kill();
            pair.awaitPromoted();
            assertEquals(0, pair.status().slots());
        }
    }

    /** Either process is killed at any moment: nothing is lost that a client was told is done. */
    @Test
    void killedAtRandom() throws Exception {
        Random random = new Random(SEED);
        System.err.println("kills: " + KILLS + ", -Descrow.standby.seed=" + SEED);
        DaemonPair pair = DaemonPair.start(directory);
        try (pair) {
            for (int i = 0; i < KILLS; i++) {
                killOnce(pair, random);
            }
        } catch (Exception | AssertionError e) {
            throw new AssertionError("-Descrow.standby.seed=" + SEED + pair.logs(), e);
        }
    }

    private void killOnce(DaemonPair pair, Random random) throws Exception {
        EscrowClient client = pair.client().connect().join();
        client.addAll(files.deposits(TAG, 0, 300)).join().orThrow();
        ChangingLoad load = new ChangingLoad(client, files, random.nextBoolean() ? 16 : 1, random.nextLong());
        await().atMost(TestDaemon.TIMEOUT).until(() -> load.changes() > 100);
        LockSupport.parkNanos(MILLISECONDS.toNanos(random.nextInt(50)));
        if (random.nextInt(4) == 0) {
            pair.standby().kill();
            int before = load.changes();
            await().atMost(TestDaemon.TIMEOUT).until(() -> load.changes() > before + 100);
            assertEquals(0, load.end());
        } else {
            pair.primary().kill();
            pair.awaitPromoted();
        }
        load.end();
        client.close();
        pair.startStandby(List.of());
        try (BlockingEscrow escrow = pair.client().connectBlocking(TestDaemon.TIMEOUT)) {
            load.check(escrow);
            assertEquals(300, verifyFiles(escrow));
            for (int slot : TestDaemon.used(escrow, ChangingLoad.TAG)) {
                escrow.delete(ChangingLoad.TAG, slot);
            }
        }
    }
}
