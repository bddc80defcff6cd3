package io.escrow.handover.connection;

/** Counts events, to look now and then whether a pipeline has changed, which Netty reports to nobody. Not thread-safe. */
final class Interval {

    /** By then most pipelines are what they will be. */
    private static final int FIRST = 32;

    /** A look costs as much as some requests. */
    private static final int EVERY = 1024;

    private int count;

    /** Counts, and returns whether it is time to look. */
    boolean isDue() {
        count++;
        return count <= FIRST || count % EVERY == 0;
    }
}
