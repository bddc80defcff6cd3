package io.escrow.client;

import java.time.Duration;
import java.util.function.LongSupplier;

/** Counts how much longer a client tries to connect. Used on one event loop. */
final class Patience {

    /** Who was in the queue for a shorter time was not in a queue: nobody there speaks this protocol, most likely. */
    private static final long STAY_NANOS = Duration.ofSeconds(1).toNanos();

    private final long limit;
    private final boolean queueCounts;
    private final LongSupplier clock;
    private long since;
    private long joined;
    private boolean inQueue;

    /**
     * Starts to count.
     *
     * @param limit how long it may take
     * @param queueCounts whether the time in the queue counts, too
     * @param clock the time in nanoseconds, as {@link System#nanoTime} tells it
     */
    Patience(Duration limit, boolean queueCounts, LongSupplier clock) {
        this.limit = limit.toNanos();
        this.queueCounts = queueCounts;
        this.clock = clock;
        this.since = clock.getAsLong();
    }

    /** Notes that the client is in the queue. */
    void joined() {
        if (!inQueue) {
            inQueue = true;
            joined = clock.getAsLong();
        }
    }

    /** Notes that the client is not in the queue any more; returns whether it has been there at all. */
    boolean left() {
        boolean stayed = hasStayed();
        if (stayed && !queueCounts) {
            since = clock.getAsLong();
        }
        inQueue = false;
        return stayed;
    }

    private boolean hasStayed() {
        return inQueue && clock.getAsLong() - joined >= STAY_NANOS;
    }

    /** Returns how many nanoseconds are left; 0 or less when the time is up. */
    long remaining() {
        return !queueCounts && hasStayed() ? limit : limit - (clock.getAsLong() - since);
    }
}
