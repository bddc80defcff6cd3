package io.escrow.handover;

/**
 * Sets how many connections move in the next wave: as many as take about as long as they may pause. On a machine that is
 * too busy, a wave takes long however small it is; then waves are to be as large as the rest of the time asks for.
 */
final class WaveSize {

    private static final int FIRST = 32;

    /** How much larger than the one before a wave may be. */
    private static final int GROWTH = 2;

    private final long pauseNanos;
    private final long timeNanos;
    private int size = FIRST;

    /**
     * Begins with the first wave.
     *
     * @param pauseNanos how long a wave is to take
     * @param timeNanos how much time there is for all waves
     */
    WaveSize(long pauseNanos, long timeNanos) {
        this.pauseNanos = pauseNanos;
        this.timeNanos = timeNanos;
    }

    /** Returns how many connections the next wave may have. */
    int get() {
        return size;
    }

    /**
     * Learns from a wave.
     *
     * @param moved how many connections it had
     * @param tookNanos how long it took
     * @param rest how many have not moved yet
     * @param leftNanos how much time is left
     */
    void learn(int moved, long tookNanos, int rest, long leftNanos) {
        double ratio = (double) pauseNanos / Math.max(1, tookNanos);
        double fitting = moved * Math.min(GROWTH, Math.max(1.0 / GROWTH, ratio));
        size = (int) Math.max(1, fitting);
        // When the time is up, small waves still move: a long one would be given up.
        if (leftNanos < timeNanos / 2 && leftNanos > tookNanos) {
            long waves = Math.max(1, leftNanos / Math.max(1, tookNanos) - 1);
            long needed = (rest + waves - 1) / waves;
            size = (int) Math.max(size, Math.min((long) GROWTH * moved, needed));
        }
    }
}
