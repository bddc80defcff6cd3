package io.escrow.handover.connection;

/**
 * Decides when to look whether a pipeline has changed, which Netty reports to nobody. Who asks counts by itself: an object for each
 * connection would be one more that each read touches.
 */
final class Interval {

    /** By then most pipelines are what they will be. */
    private static final int FIRST = 32;

    /** A look costs as much as some requests. */
    private static final int EVERY = 1024;

    private Interval() {}

    /** Returns whether it is time to look, when so many events have come. */
    static boolean isDue(int count) {
        return count <= FIRST || count % EVERY == 0;
    }
}
