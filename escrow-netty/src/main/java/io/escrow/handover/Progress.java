package io.escrow.handover;

/**
 * Describes how far a start or a handover has come.
 *
 * @param step what is being done
 * @param done with how many connections it is done
 * @param total how many connections there are, listeners included when they are stored
 */
public record Progress(Step step, int done, int total) {

    /** What takes long when there are many connections. */
    public enum Step {
        /** Connections are taken out of the escrow and put together. */
        ADOPTING,
        /** Connections come to rest. */
        RESTING,
        /** Connections are put into the escrow. */
        STORING
    }
}
