package io.escrow.handover.protocol;

/** Informs the handlers of a connection, as a user event, about what becomes of the connection. */
public enum HandoverEvent {
    /** The connection was taken over from a process that handed it over cleanly. Follows {@link Movable#restore}. */
    ADOPTED,
    /** The connection was found in the escrow after its process had died. Follows {@link Movable#restore}. */
    FOUND_AFTER_CRASH,
    /** The connection now belongs to the next process. Its channel becomes inactive here; nothing is sent to the peer. */
    HANDED_OVER,
    /** The connection stays in this process, which ends soon: finish it. */
    DRAINING
}
