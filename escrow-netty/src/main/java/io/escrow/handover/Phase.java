package io.escrow.handover;

import jdk.jfr.FlightRecorder;

/** Enumerates the steps of a start or a handover that the flight recorder records, with time and number of connections. */
enum Phase {
    // Of a start:
    /** The escrow is connected to, and this process waits for its turn. */
    CONNECTING,
    /** Listeners are adopted or bound. */
    LISTENING,
    /** Connections are taken out of the escrow and put together, held still. */
    ADOPTING,
    /** They get their state, become this server's own in the escrow, and go on. */
    RESUMING,
    /** Connections that another process has just given away become this one's. */
    TAKING_WAVE,

    // Of a handover:
    /** In waves only: connections are put into the escrow while they are served. */
    ESCROWING,
    /** Listeners stop accepting. */
    STOPPING,
    /** In waves only: the session ends, and this process waits for the next one to come. */
    MEETING,
    /** Some connections come to rest, and become the next process's. */
    GIVING_WAVE,
    /** Connections come to rest. */
    RESTING,
    /** They are taken off their event loops, and apart. */
    TAKING_APART,
    /** They are put into the escrow, with the listeners. */
    STORING,
    /** The handover has failed: everything goes on here. */
    GOING_BACK,
    /** Connections that stay come to their end. */
    DRAINING;

    /** Is a phase that has begun. */
    interface Span {
        /** Ends it. A phase that is not ended is not told of. */
        void end(int connections);
    }

    /** The module is missing in a runtime that was made without it; then none of its classes may be loaded. */
    private static final boolean HAS_RECORDER =
            ModuleLayer.boot().findModule("jdk.jfr").isPresent();

    /** Begins this phase; it may be ended by another thread. */
    Span begin() {
        // The first event starts the recorder, which takes long; there is no recording before another part of the
        // program has
        // started it.
        return HAS_RECORDER && FlightRecorder.isInitialized() ? HandoverPhaseEvent.begin(name()) : connections -> {};
    }
}
