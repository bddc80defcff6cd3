package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Finds how many connections a wave may have, on machines that are quick, slow, and too busy. */
class WaveSizeTest {

    private static final long PAUSE = TimeUnit.MILLISECONDS.toNanos(100);
    private static final long TIME = TimeUnit.SECONDS.toNanos(30);

    private final WaveSize size = new WaveSize(PAUSE, TIME);

    @Test
    void growsToWhatFitsIntoThePause() {
        long each = PAUSE / 300;
        for (int wave = 0; wave < 10; wave++) {
            size.learn(size.get(), size.get() * each, 5_000, TIME);
        }
        assertEquals(300, size.get(), 1);
    }

    @Test
    void shrinksToWhatFitsIntoThePause() {
        long each = PAUSE / 5;
        for (int wave = 0; wave < 10; wave++) {
            size.learn(size.get(), size.get() * each, 5_000, TIME);
        }
        assertEquals(5, size.get(), 1);
    }

    @Test
    void neverIsNone() {
        for (int wave = 0; wave < 10; wave++) {
            size.learn(1, TIME, 5_000, 1);
        }
        assertEquals(1, size.get());
    }

    /** As it was with two processors and 25 processes that wanted them. */
    @Test
    void allMoveInTimeWhereEachWaveTakesLongHoweverSmallItIs() {
        long took = TimeUnit.MILLISECONDS.toNanos(500);
        long left = TIME;
        int rest = 1_000;
        while (rest > 0 && left > 0) {
            int wave = Math.min(rest, size.get());
            rest -= wave;
            left -= took;
            size.learn(wave, took, rest, left);
        }
        assertTrue(rest <= 0, rest + " had not moved");
    }
}
