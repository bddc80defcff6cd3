package io.escrow.examples.bench;

/**
 * The longest wait of a connection for an answer while its server was handed over.
 *
 * @param from when it was sent for, in microseconds since the handover began; negative if that was before
 * @param until when the answer came
 */
record Pause(long from, long until) {

    /** Returns how long it was, in microseconds. */
    long length() {
        return until - from;
    }
}
