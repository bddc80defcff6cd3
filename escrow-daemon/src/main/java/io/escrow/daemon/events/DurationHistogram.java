package io.escrow.daemon.events;

import java.util.Arrays;

/** Counts durations in buckets, for monitoring systems. Used on the daemon's event loop only. */
public final class DurationHistogram {

    private static final double[] BOUNDS = {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 600, 3_600, 86_400};

    /**
     * Holds the counts of a moment.
     *
     * @param bounds the upper bound of each bucket in seconds; the last one is infinite
     * @param counts the number of durations in each bucket
     * @param sum the sum of all durations in seconds
     */
    @SuppressWarnings("ArrayRecordComponent") // records are not compared
    public record Counted(double[] bounds, long[] counts, double sum) {}

    private final long[] counts = new long[BOUNDS.length + 1];
    private double sum;

    void add(double seconds) {
        int place = Arrays.binarySearch(BOUNDS, seconds);
        counts[place < 0 ? -place - 1 : place]++;
        sum += seconds;
    }

    /** Adds what another daemon has counted, bucket by bucket. */
    void add(long[] otherCounts, double otherSum) {
        for (int i = 0; i < Math.min(counts.length, otherCounts.length); i++) {
            counts[i] += otherCounts[i];
        }
        sum += otherSum;
    }

    Counted counted() {
        double[] bounds = Arrays.copyOf(BOUNDS, counts.length);
        bounds[BOUNDS.length] = Double.POSITIVE_INFINITY;
        return new Counted(bounds, counts.clone(), sum);
    }
}
