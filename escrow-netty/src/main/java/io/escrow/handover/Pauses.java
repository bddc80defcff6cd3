package io.escrow.handover;

import java.time.Duration;
import java.util.List;

/**
 * Sums up for how long no process read the connections: from the moment at which each came to rest in the process before,
 * to the moment at which it went on in this one. By the machine's clock, in whole milliseconds.
 *
 * @param measured how many connections that is known of: those that were handed over by a process that stores the moment
 * @param median the pause that half of them did not exceed; zero if none was measured
 * @param p99 the pause that 99 of 100 did not exceed
 * @param max the longest pause
 */
public record Pauses(int measured, Duration median, Duration p99, Duration max) {

    static Pauses of(List<Duration> pauses) {
        if (pauses.isEmpty()) {
            return new Pauses(0, Duration.ZERO, Duration.ZERO, Duration.ZERO);
        }
        List<Duration> sorted = pauses.stream().sorted().toList();
        int size = sorted.size();
        return new Pauses(size, sorted.get(rank(size, 50)), sorted.get(rank(size, 99)), sorted.get(size - 1));
    }

    /** Returns the index of the smallest value that so many percent do not exceed. */
    private static int rank(int size, int percent) {
        return (int) (((long) size * percent + 99) / 100) - 1;
    }
}
