package io.escrow.handover;

import io.netty.buffer.ByteBuf;

/** Knows where the messages of a protocol begin and end. Reads bytes without consuming them; sees each byte once. */
interface Framing {

    /** The longest part of a message that is waited for, and kept, until it is complete. */
    int MAX_HELD = 64 * 1024;

    /**
     * Tells how many of some bytes may be let through; the caller then lets them through.
     *
     * @param begin whether a new message may begin
     * @return the number; 0 if more bytes are needed, or no message may begin
     */
    int next(ByteBuf bytes, boolean begin);

    /** Tells whether what was let through ends with the end of a message. */
    boolean isBetweenMessages();
}
