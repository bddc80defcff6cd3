package io.escrow.handover.connection;

/** Enumerates the states of a connection; the package description has the diagram. */
public enum ConnectionState {
    /** Adopted, and not this process's own yet: nothing is read and nothing is sent. */
    HELD,
    /** Everything passes the {@link ConnectionHandler}, as if it was not there. */
    SERVING,
    /** Nothing is read, but what the handlers have to say to the peer is sent. */
    RESTING,
    /** Taken apart: nothing is read and nothing is sent. */
    APART,
    /** The connection belongs to another process. */
    GONE,
    /** The connection has ended. */
    ENDED;

    /** Returns whether a connection in this state may get into another one. */
    boolean mayBecome(ConnectionState next) {
        return switch (this) {
            case HELD -> next == SERVING || next == GONE || next == ENDED;
            case SERVING -> next == RESTING || next == ENDED;
            case RESTING -> next == SERVING || next == APART || next == ENDED;
            case APART -> next == SERVING || next == GONE || next == ENDED;
            case GONE, ENDED -> false;
        };
    }

    /** Returns whether what comes in goes to the handlers of the pipeline. */
    boolean isReading() {
        return this == SERVING || this == ENDED;
    }

    /** Returns whether the channel may be taken off its event loop, and put back. */
    boolean isMoving() {
        return this == RESTING || this == APART;
    }

    /** Returns whether what the handlers write goes to the peer. */
    boolean isSending() {
        return this == SERVING || this == RESTING || this == ENDED;
    }
}
