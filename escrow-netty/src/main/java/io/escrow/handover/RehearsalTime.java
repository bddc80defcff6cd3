package io.escrow.handover;

import java.util.concurrent.TimeUnit;

/**
 * Decides when this process may rehearse: while it waits for its turn, and when it has served for a while; never during a start or a
 * handover. May be used by any thread.
 */
final class RehearsalTime {

    /** The one of this process. */
    static final RehearsalTime PROCESS = new RehearsalTime(TimeUnit.SECONDS.toNanos(5));

    private final long quietNanos;
    private boolean begun;
    private boolean begunWithTls;
    private boolean over;

    /** How many servers are just being started, since their turn has come. */
    private int starting;

    private long quietFrom = System.nanoTime();

    /** Lets a server serve for so long before there is a rehearsal: it has other things to do at first. */
    RehearsalTime(long quietNanos) {
        this.quietNanos = quietNanos;
    }

    /**
     * Returns whether a rehearsal is to begin now: only the first time, and the first time with TLS, and not after its end.
     *
     * @param tls whether it has TLS
     */
    synchronized boolean begin(boolean tls) {
        boolean known = begunWithTls || (begun && !tls);
        begun = true;
        begunWithTls |= tls;
        return !known && !over;
    }

    /** Notes that the turn of a server has come: until it has started, there is no rehearsal. */
    synchronized void turnCame() {
        starting++;
    }

    /** Notes that a server whose turn had come serves, or waits again, or could not be started. */
    synchronized void started() {
        starting--;
        quietFrom = System.nanoTime() + quietNanos;
        notifyAll();
    }

    /** Ends the rehearsal for good: what follows is the handover itself. */
    synchronized void end() {
        over = true;
        notifyAll();
    }

    /**
     * Waits until the next wave may begin. One after the other they take half of the time, so that others have theirs.
     *
     * @param lastNanos how long the last wave took
     * @return {@code false} if there is to be none
     */
    synchronized boolean await(long lastNanos) throws InterruptedException {
        long from = System.nanoTime() + lastNanos;
        while (!over) {
            long now = System.nanoTime();
            long wait = Math.max(from - now, quietFrom - now);
            if (starting > 0) {
                wait();
            } else if (wait > 0) {
                TimeUnit.NANOSECONDS.timedWait(this, wait);
            } else {
                return true;
            }
        }
        return false;
    }
}
