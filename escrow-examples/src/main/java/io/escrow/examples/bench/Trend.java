package io.escrow.examples.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The readings of one figure over time, and whether the figure grows. The readings are divided into a few windows, and the
 * lowest of each window counts: a leak raises it, and a peak does not.
 */
final class Trend {

    /** The number of readings that are needed at least. */
    static final int READINGS = 10;

    private static final int WINDOWS = 4;
    private static final int WARM_UP_SHARE = 5;

    private final String name;
    private final double share;
    private final long slack;
    private final List<Long> readings = new ArrayList<>();

    /**
     * Makes a trend without readings.
     *
     * @param share how much the figure may grow between the first window and the last, as a share of the first
     * @param slack how much it may grow in any case
     */
    Trend(String name, double share, long slack) {
        this.name = name;
        this.share = share;
        this.slack = slack;
    }

    String name() {
        return name;
    }

    void add(long reading) {
        readings.add(reading);
    }

    /** Returns whether there are enough readings. */
    boolean isKnown() {
        return readings.size() >= READINGS;
    }

    /** Returns the lowest reading of each window. The first readings, from the time of warming up, do not count. */
    long[] lowest() {
        int first = readings.size() / WARM_UP_SHARE;
        int count = readings.size() - first;
        long[] lowest = new long[WINDOWS];
        Arrays.fill(lowest, Long.MAX_VALUE);
        for (int i = 0; i < count; i++) {
            int window = i * WINDOWS / count;
            lowest[window] = Math.min(lowest[window], readings.get(first + i));
        }
        return lowest;
    }

    /**
     * Returns whether no window is lower than the one before it, and the last window is higher than the first one by more
     * than is allowed. Returns {@code false} if there are too few readings.
     */
    boolean grows() {
        if (!isKnown()) {
            return false;
        }
        long[] lowest = lowest();
        for (int i = 1; i < WINDOWS; i++) {
            if (lowest[i] < lowest[i - 1]) {
                return false;
            }
        }
        return lowest[WINDOWS - 1] - lowest[0] > Math.max(slack, (long) (share * lowest[0]));
    }
}
