package io.escrow.daemon;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The process that stands by is killed at each of its steps, alone or together with the one that serves, while a third one
 * waits. Whoever serves then has everything, or has started anew.
 *
 * <p>{@code -Descrow.standby.steps=all} goes through all steps instead of a few. {@code -Descrow.standby.pairs} says how many
 * times two of three are killed at random.
 */
class StandbyStepsIT {

    private static final int TAG = 1;
    private static final boolean ALL =
            System.getProperty("escrow.standby.steps", "").equals("all");
    private static final int PAIRS = Integer.getInteger("escrow.standby.pairs", 1);
    private static final long SEED = Long.getLong("escrow.standby.seed", new Random().nextLong());

    /** A step of the process that stands by, in order. */
    private enum Step {
        /** The first slot has come. */
        SLOT("slot", false),
        /** A part of the slots has come. */
        PAGE("page", false),
        /** Everything was sent. */
        SYNCED("synced", true),
        STANDING_BY("standing-by", true),
        ACKNOWLEDGING("acknowledging", true);

        final String text;
        final boolean inStep;

        Step(String text, boolean inStep) {
            this.text = text;
            this.inStep = inStep;
        }
    }

    /** A step of the process that stood by, when the other one was killed; the last one is behind the first answer. */
    private static final List<String> PROMOTION =
            List.of("standby-alone", "standby-locked", "successor-serving", "successor-served", "");

    @TempDir
    Path directory;

    @AutoClose
    private TestFiles files;

    private DaemonPair pair;

    @BeforeEach
    void makeFiles() throws IOException {
        files = new TestFiles(directory.resolve("files"), 300);
    }

    private DaemonPair start() throws IOException {
        return DaemonPair.start(directory, "--force", "--standby-timeout=60");
    }

    private ChangingLoad begin() throws IOException {
        EscrowClient client = files.stored(pair.client(), TAG, 300);
        ChangingLoad load = new ChangingLoad(client, files, 16, 1);
        awaitChanges(load);
        return load;
    }

    private static void awaitChanges(ChangingLoad load) {
        int before = load.changes();
        await().atMost(TestDaemon.TIMEOUT).until(() -> load.changes() > before + 100);
    }

    /** Checks that the one that serves has everything, and empties it. */
    private void hasEverything(ChangingLoad load) throws Exception {
        load.end();
        load.close();
        try (BlockingEscrow escrow = pair.client().connectBlocking(TestDaemon.TIMEOUT)) {
            load.check(escrow);
            assertEquals(300, files.checkAll(escrow, TAG), pair::logs);
            for (int tag = TAG; tag <= ChangingLoad.TAG; tag++) {
                for (int slot : TestDaemon.used(escrow, tag)) {
                    escrow.delete(tag, slot);
                }
            }
        }
        pair.checkOneServes();
    }

    private void hasNothing(TestProcess third, ChangingLoad load) throws Exception {
        load.end();
        load.close();
        pair.serves(third);
        assertEquals(0, pair.status().slots(), pair::logs);
        pair.checkOneServes();
    }

    @Test
    void standbyIsKilledAtEachStep() throws Exception {
        try (DaemonPair started = start()) {
            pair = started;
            pair.standby().kill();
            for (Step step : ALL ? Step.values() : new Step[] {Step.PAGE}) {
                ChangingLoad load = begin();
                pair.startStandbyUntil(step.text);
                pair.standby().kill();
                awaitChanges(load);
                assertEquals(0, load.end(), pair::logs);
                // It does not keep the next one from standing by.
                pair.startStandby();
                pair.killPrimary();
                hasEverything(load);
            }
        }
    }

    /** The one that serves is killed, and the one that stands by goes on from its step. */
    @Test
    void primaryIsKilledAtEachStep() throws Exception {
        try (DaemonPair started = start()) {
            pair = started;
            pair.standby().kill();
            for (Step step : ALL ? Step.values() : new Step[] {Step.PAGE, Step.SYNCED}) {
                ChangingLoad load = begin();
                pair.startStandbyUntil(step.text);
                TestProcess goesOn = pair.standby();
                pair.primary().kill();
                pair.resumeStandby();
                if (step.inStep) {
                    pair.awaitPromoted();
                    hasEverything(load);
                } else {
                    hasNothing(goesOn, load);
                }
            }
        }
    }

    @Test
    void bothAreKilledAtEachStep() throws Exception {
        try (DaemonPair started = start()) {
            pair = started;
            pair.standby().kill();
            for (Step step : ALL ? Step.values() : new Step[] {Step.SYNCED}) {
                ChangingLoad load = begin();
                pair.startStandbyUntil(step.text);
                TestProcess third = pair.startThird();
                pair.primary().kill();
                pair.standby().kill();
                hasNothing(third, load);
            }
        }
    }

    /** The process that has begun to serve in place of another is killed, and a third one must not serve a part. */
    @Test
    void promotedIsKilledAtEachStep() throws Exception {
        try (DaemonPair started = start()) {
            pair = started;
            pair.standby().kill();
            for (String step : ALL ? PROMOTION : List.of("standby-locked")) {
                ChangingLoad load = begin();
                pair.startStandby(List.of("-Descrow.test.step=" + step));
                killPromoted(step, load);
            }
        }
    }

    private void killPromoted(String step, ChangingLoad load) throws Exception {
        TestProcess third = pair.startThird();
        TestProcess promoted = pair.standby();
        pair.primary().kill();
        if (step.isEmpty()) {
            pair.awaitPromoted();
        } else {
            promoted.awaitLine("stopped at " + step);
            assertFalse(third.lines().toString().contains("Listening on"), pair::logs);
        }
        killWithThird(promoted, third, load);
    }

    /** Kills the one that serves: the third one has everything if it stands by, and else everything or nothing. */
    private void killWithThird(TestProcess serving, TestProcess third, ChangingLoad load) throws Exception {
        boolean standsBy = third.lines().stream().anyMatch(line -> line.startsWith("Standing by for "));
        serving.kill();
        pair.serves(third);
        boolean anew = third.lines().stream().noneMatch(line -> line.contains("serving in place of"));
        assertFalse(anew && standsBy, pair::logs);
        if (anew) {
            hasNothing(third, load);
        } else {
            hasEverything(load);
        }
    }

    /** The one behind the one that stands by is killed while that one begins to serve. */
    @Test
    void thirdIsKilledInThePromotion() throws Exception {
        try (DaemonPair started = start()) {
            pair = started;
            pair.standby().kill();
            for (String step : ALL ? PROMOTION.subList(0, 4) : List.of("successor-serving")) {
                ChangingLoad load = begin();
                pair.startStandby(List.of("-Descrow.test.step=" + step));
                TestProcess third = pair.startThird();
                pair.primary().kill();
                pair.standby().awaitLine("stopped at " + step);
                third.kill();
                pair.resumeStandby();
                pair.awaitPromoted();
                hasEverything(load);
            }
        }
    }

    /** Two of three are killed at any moment, one shortly after the other. */
    @Test
    void pairsAreKilledAtRandom() throws Exception {
        Random random = new Random(SEED);
        System.err.println("pairs: " + PAIRS + ", -Descrow.standby.seed=" + SEED);
        try (DaemonPair started = start()) {
            pair = started;
            for (int i = 0; i < PAIRS; i++) {
                killPair(random);
            }
        } catch (Exception | AssertionError e) {
            throw new AssertionError("-Descrow.standby.seed=" + SEED + pair.logs(), e);
        }
    }

    private void killPair(Random random) throws Exception {
        ChangingLoad load = begin();
        TestProcess second = pair.standby();
        TestProcess third = pair.startThird();
        pair.primary().kill();
        LockSupport.parkNanos(MILLISECONDS.toNanos(random.nextInt(random.nextBoolean() ? 20 : 1000)));
        if (random.nextInt(3) == 0) {
            third.kill();
            pair.awaitPromoted();
            hasEverything(load);
        } else {
            killWithThird(second, third, load);
        }
        pair.startStandby();
    }
}
