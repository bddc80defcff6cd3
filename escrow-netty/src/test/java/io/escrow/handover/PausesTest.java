package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PausesTest {

    /** Makes pauses of 1 to {@code count} milliseconds, in any order. */
    private static List<Duration> upTo(int count) {
        List<Duration> pauses = new ArrayList<>();
        for (int millis = 1; millis <= count; millis++) {
            pauses.add(Duration.ofMillis(millis));
        }
        Collections.shuffle(pauses, new Random(count));
        return pauses;
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1", "2, 1, 2", "3, 2, 3", "99, 50, 99", "100, 50, 99", "101, 51, 100", "10000, 5000, 9900"})
    void somePauses(int count, int median, int p99) {
        assertEquals(
                new Pauses(count, Duration.ofMillis(median), Duration.ofMillis(p99), Duration.ofMillis(count)),
                Pauses.of(upTo(count)));
    }

    @Test
    void noPause() {
        assertEquals(new Pauses(0, Duration.ZERO, Duration.ZERO, Duration.ZERO), Pauses.of(List.of()));
    }
}
