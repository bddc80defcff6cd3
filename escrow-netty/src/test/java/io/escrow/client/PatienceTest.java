package io.escrow.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PatienceTest {

    private long seconds = -5;

    private Patience patience(boolean queueCounts) {
        return new Patience(Duration.ofSeconds(30), queueCounts, () -> TimeUnit.SECONDS.toNanos(seconds));
    }

    private static void assertRemaining(long expected, Patience patience) {
        assertEquals(expected, TimeUnit.NANOSECONDS.toSeconds(patience.remaining()));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void countsTheTimeOutsideOfTheQueue(boolean queueCounts) {
        Patience patience = patience(queueCounts);
        assertRemaining(30, patience);
        seconds += 10;
        assertRemaining(20, patience);
        seconds += 20;
        assertRemaining(0, patience);
    }

    @Test
    void hasNoLimitInTheQueue() {
        Patience patience = patience(false);
        seconds += 10;
        patience.joined();
        seconds += 100_000;
        patience.joined();
        assertRemaining(30, patience);
        assertTrue(patience.left());
        seconds += 29;
        assertRemaining(1, patience);
    }

    @Test
    void countsTheQueueWhenALimitWasChosen() {
        Patience patience = patience(true);
        patience.joined();
        seconds += 31;
        assertRemaining(-1, patience);
        assertTrue(patience.left());
        assertRemaining(-1, patience);
    }

    @Test
    void whoIsTurnedAwayAtOnceWasNotInTheQueue() {
        Patience patience = patience(false);
        for (int i = 0; i < 30; i++) {
            patience.joined();
            assertFalse(patience.left());
            assertFalse(patience.left(), "not in it any more");
            seconds++;
        }
        assertRemaining(0, patience);
    }
}
