package io.escrow.examples;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What was read of one figure over time, and whether that grows. A single reading says nothing: of each of a few windows
 * the lowest counts, which a leak raises and a peak does not.
 */
final class Trend {

    /** How many readings it takes at least. */
    static final int READINGS = 10;

    private static final int WINDOWS = 4;
    private static final int WARM_UP_SHARE = 5;

    private final String name;
    private final double share;
    private final long slack;
    private final List<Long> readings = new ArrayList<>();

    /**
     * Makes an empty one.
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

    /** Tells whether there are enough readings to say something. */
    boolean isKnown() {
        return readings.size() >= READINGS;
    }

    /** Returns the lowest reading of each window; the first readings of all, from the time of warming up, are in none. */
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
     * Tells whether no window is lower than the one before it, and the last is higher than the first by too much; {@code
     * false} when that is not known.
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
