package io.escrow.examples.bench;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.function.IntToLongFunction;
import org.junit.jupiter.api.Test;

class TrendTest {

    private static Trend trend(double share, long slack, int readings, IntToLongFunction reading) {
        Trend trend = new Trend("a", share, slack);
        for (int i = 0; i < readings; i++) {
            trend.add(reading.applyAsLong(i));
        }
        return trend;
    }

    @Test
    void isKnownAfterEnoughReadings() {
        Trend tooShort = trend(0, 0, Trend.READINGS - 1, i -> i);
        assertFalse(tooShort.isKnown());
        assertFalse(tooShort.grows());
        assertTrue(trend(0, 0, Trend.READINGS, i -> 1).isKnown());
    }

    @Test
    void takesTheLowestOfEachWindowAfterTheWarmUp() {
        assertArrayEquals(new long[] {2, 4, 6, 8}, trend(0, 0, 10, i -> i).lowest());
    }

    @Test
    void seesSlowLeak() {
        assertTrue(trend(0, 0, 100, i -> 50 + i / 40).grows());
    }

    @Test
    void doesNotMindPeaksAndTheWarmUp() {
        assertFalse(trend(0, 0, 100, i -> i < 20 ? i : i % 10 == 0 ? 20 : 1000 + i)
                .grows());
    }

    @Test
    void doesNotMindWhatComesAndGoes() {
        assertFalse(trend(0, 0, 100, i -> i < 80 ? i : 10).grows());
    }

    @Test
    void allowsShareOrSlackWhicheverIsMore() {
        IntToLongFunction by10 = i -> i < 50 ? 100 : 110;
        assertTrue(trend(0.09, 9, 100, by10).grows());
        assertFalse(trend(0.10, 0, 100, by10).grows());
        assertFalse(trend(0, 10, 100, by10).grows());
    }
}
