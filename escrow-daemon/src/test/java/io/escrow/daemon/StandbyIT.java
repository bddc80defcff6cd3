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
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

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

    /** Waits until all that was counted is told. */
    private static void awaitFigures(DaemonPair pair) {
        await().atMost(TestDaemon.TIMEOUT)
                .pollDelay(1_500, MILLISECONDS)
                .until(() -> pair.standbyView().inStep());
    }

    private static List<String> stopAt(String step) {
        return List.of("-Descrow.test.step=" + step);
    }

    private static void awaitChanges(ChangingLoad load) {
        int before = load.changes();
        await().atMost(TestDaemon.TIMEOUT).until(() -> load.changes() > before + 100);
    }

    /** Sessions when their daemon is killed: at rest, ungreeted, and in the middle of a packet. */
    @Test
    void sessions() throws Exception {
        try (DaemonPair pair = DaemonPair.start(directory)) {
            atRest(pair);
            try (RawClient client = RawClient.connect(pair.path())) {
                await().atMost(TestDaemon.TIMEOUT).until(() -> pair.status().session() != null);
                pair.startStandby();
                pair.killPrimary();
                client.greet();
                assertEquals(
                        0, client.ask(RawClient.add(TAG, 1, new byte[3])).only().errno(), pair::logs);
                pair.startStandby();
                byte[] add = RawClient.add(TAG, 301, new byte[3]);
                client.bytes(RawClient.prelude(add.length, 0));
                client.bytes(Arrays.copyOf(add, 10));
                pair.primary().awaitAsleep();
                pair.killPrimary();
                // What was read of the packet is gone.
                assertThrows(AssertionError.class, client::receive, pair::logs);
            }
            try (BlockingEscrow escrow = pair.client().connectBlocking(TestDaemon.TIMEOUT)) {
                assertEquals(300, escrow.tag(TAG).used());
            }
        }
    }

    private void atRest(DaemonPair pair) throws Exception {
        BlockingEscrow escrow = pair.client().connectBlocking(TestDaemon.TIMEOUT);
        escrow.addAll(files.deposits(TAG, 0, 300)).orThrow();
        escrow.add(TAG, 1000, new byte[] {1, 2, 3});
        escrow.update(TAG, 1000, new byte[] {4});
        CompletableFuture<EscrowClient> next = pair.client().connect();
        await().atMost(TestDaemon.TIMEOUT).until(() -> pair.status().waiting() == 1);
        awaitFigures(pair);
        StatusView before = pair.status();

        pair.killPrimary();

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
        assertEquals(300, files.checkAll(escrow, TAG), pair::logs);
        escrow.close();
        next.get(TestProcess.PATIENCE_SECONDS, SECONDS).close();
        await().atMost(TestDaemon.TIMEOUT).until(() -> pair.status().session() == null);
    }

    /** The one that serves is told to end: it hands over, even if it is killed while it does. */
    @Test
    void sigtermHandsOver() throws Exception {
        try (DaemonPair pair = DaemonPair.start(directory, List.of(), stopAt("take"), "--handover-timeout=1")) {
            EscrowClient client = files.stored(pair.client(), TAG, 300);
            try (ChangingLoad load = new ChangingLoad(client, files, 16, 1)) {
                awaitChanges(load);
                pair.terminatePrimary();
                awaitChanges(load);
                assertEquals(0, load.end(), pair::logs);
                verify(load, client.toBlocking(TestDaemon.TIMEOUT));
            }
            String[] steps = {"take", "stopped", "commit", "prepared", "released"};
            for (int i = 0; i < steps.length; i++) {
                pair.startStandby(i + 1 < steps.length ? stopAt(steps[i + 1]) : List.of());
                killWhileItHandsOver(pair, steps[i]);
            }
            pair.startStandby();
            sigtermInTheMiddleOfAPacket(pair);
        }
    }

    private void killWhileItHandsOver(DaemonPair pair, String step) throws Exception {
        EscrowClient client = pair.client()
                .connect()
                .orTimeout(TestProcess.PATIENCE_SECONDS, SECONDS)
                .join();
        ChangingLoad load = new ChangingLoad(client, files, 16, 1);
        awaitChanges(load);
        pair.primary().terminate();
        pair.primary().awaitLine("stopped at " + step);
        pair.killPrimary();
        load.end();
        client.close();
        try (BlockingEscrow escrow = pair.client().connectBlocking(TestDaemon.TIMEOUT)) {
            verify(load, escrow);
        }
    }

    private void verify(ChangingLoad load, BlockingEscrow escrow) throws IOException {
        load.check(escrow);
        assertEquals(300, files.checkAll(escrow, TAG));
        for (int slot : TestDaemon.used(escrow, ChangingLoad.TAG)) {
            escrow.delete(ChangingLoad.TAG, slot);
        }
    }

    /** A client in the middle of a packet does not keep its daemon from ending, and what others have stored is kept. */
    private void sigtermInTheMiddleOfAPacket(DaemonPair pair) throws Exception {
        try (RawClient client = RawClient.open(pair.path())) {
            client.ask(RawClient.add(TAG, 1, new byte[3]));
            byte[] add = RawClient.add(TAG, 301, new byte[3]);
            client.bytes(RawClient.prelude(add.length, 0));
            pair.primary().awaitAsleep();
            pair.terminatePrimary();
            assertThrows(AssertionError.class, client::receive, pair::logs);
        }
        try (BlockingEscrow escrow = pair.client().connectBlocking(TestDaemon.TIMEOUT)) {
            assertEquals(300, escrow.tag(TAG).used());
        }
    }

    /** The one that stands by is killed: nothing is noticed, and nothing is leaked. A half copy never serves. */
    @Test
    void standbyIsKilled() throws Exception {
        try (DaemonPair pair = DaemonPair.start(directory)) {
            EscrowClient client = pair.client()
                    .connect()
                    .orTimeout(TestProcess.PATIENCE_SECONDS, SECONDS)
                    .join();
            try (ChangingLoad load = new ChangingLoad(client, files, 16, 1)) {
                awaitChanges(load);
                pair.standby().kill();
                awaitChanges(load);
                pair.startStandby();
                awaitChanges(load);
                assertEquals(0, load.end(), pair::logs);
                load.check(client.toBlocking(TestDaemon.TIMEOUT));
            }
            pair.killPrimary();
            changeAll(pair);
            await().atMost(TestDaemon.TIMEOUT)
                    .pollDelay(500, MILLISECONDS)
                    .until(() -> pair.status().session() == null);
            long open = pair.primary().descriptors();
            pair.startStandby(stopAt("snapshot"));
            changeAll(pair);
            pair.standby().kill();
            changeAll(pair);
            await().atMost(TestDaemon.TIMEOUT)
                    .untilAsserted(() -> assertEquals(open, pair.primary().descriptors(), pair::logs));
            pair.startStandby(stopAt("snapshot"));
            pair.killPrimary();
            killInTheMiddleOfTheCopy(pair);
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
    private void killInTheMiddleOfTheCopy(DaemonPair pair) throws IOException {
        try (BlockingEscrow escrow = pair.client().connectBlocking(TestDaemon.TIMEOUT)) {
            escrow.addAll(files.deposits(TAG, 0, 300)).orThrow();
        }
        TestProcess next = pair.startOne(List.of());
        pair.primary().awaitLine("stopped at snapshot");
        pair.primary().kill();
        assertEquals(1, next.awaitExit(), pair::logs);
        assertTrue(next.lines().toString().contains("--force"), pair::logs);
    }

    /** The standby follows the new version after an upgrade; one that is left behind never serves. */
    @Test
    void upgradeAndLeftBehind() throws Exception {
        try (DaemonPair pair = DaemonPair.start(directory, "--standby-timeout=1")) {
            EscrowClient client = pair.client()
                    .connect()
                    .orTimeout(TestProcess.PATIENCE_SECONDS, SECONDS)
                    .join();
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
                    pair.status(); // The session is at rest now.
                } finally {
                    ReplacedDaemon.kill(successor);
                }
                pair.awaitPromoted();
                BlockingEscrow escrow = client.toBlocking(TestDaemon.TIMEOUT);
                load.check(escrow);
                pair.startStandby();
                pair.standby().pause();
                escrow.add(TAG, 1, new byte[1]);
                await().atMost(TestDaemon.TIMEOUT)
                        .until(() -> pair.standbyView().pid() == null);
                escrow.add(TAG, 2, new byte[1]);
                pair.primary().kill();
                pair.standby().resume();
                assertEquals(1, pair.standby().awaitExit(), pair::logs);
                assertTrue(pair.standby().lines().toString().contains("--force"), pair::logs);
            }
        }
    }

    /** What was acknowledged is carried out by a process that was stopped, before it serves. */
    @Test
    void unclaimedSlotsAndStoppedStandby() throws Exception {
        try (DaemonPair pair = DaemonPair.start(directory, "--unclaimed-timeout=1")) {
            try (BlockingEscrow escrow = pair.client().connectBlocking(TestDaemon.TIMEOUT)) {
                escrow.add(TAG, 1, files.get(1), TestFiles.payload(1));
            }
            await().atMost(TestDaemon.TIMEOUT).until(() -> pair.status().slots() == 0);
            try (BlockingEscrow escrow = pair.client().connectBlocking(TestDaemon.TIMEOUT)) {
                escrow.add(TAG, 1, files.get(1), TestFiles.payload(1));
                pair.standby().pause();
                escrow.add(TAG, 2, files.get(2), TestFiles.payload(2));
                escrow.delete(TAG, 1);
                pair.status(); // The session is at rest now.
                pair.primary().kill();
                pair.standby().resume();
                pair.awaitPromoted();
                assertEquals(Set.of(2), TestDaemon.used(escrow, TAG), pair::logs);
                assertEquals(1, files.checkAll(escrow, TAG));
            }
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
        EscrowClient client = files.stored(pair.client(), TAG, 300);
        ChangingLoad load = new ChangingLoad(client, files, random.nextBoolean() ? 16 : 1, random.nextLong());
        await().atMost(TestDaemon.TIMEOUT).until(() -> load.changes() > 100);
        LockSupport.parkNanos(MILLISECONDS.toNanos(random.nextInt(50)));
        if (random.nextInt(4) == 0) {
            pair.standby().kill();
            int before = load.changes();
            await().atMost(TestDaemon.TIMEOUT).until(() -> load.changes() > before + 100);
            assertEquals(0, load.end());
        } else {
            pair.killPrimary();
        }
        load.end();
        client.close();
        pair.startStandby();
        try (BlockingEscrow escrow = pair.client().connectBlocking(TestDaemon.TIMEOUT)) {
            verify(load, escrow);
        }
    }
}
