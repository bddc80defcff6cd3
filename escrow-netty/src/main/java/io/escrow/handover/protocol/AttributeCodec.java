package io.escrow.handover.protocol;

import io.netty.buffer.ByteBuf;

/**
 * Writes and reads the values of an attribute of channels, so that the value moves with its connection. Called on the
 * channel's event loop; one object serves all connections of a server.
 *
 * @param <T> the type of the values
 */
public interface AttributeCodec<T> {

    /**
     * Writes a value. Called when the connection is at rest, and at each checkpoint; not called for an attribute without
     * a value. After an exception the connection stays in this process, and is drained; if those of most connections
     * can't be moved for that, the handover fails. A checkpoint fails.
     *
     * @param value the value, not {@code null}
     * @param out where to write it, nothing at all included; belongs to the caller
     */
    void encode(T value, ByteBuf out);

    /**
     * Reads what {@link #encode} wrote, perhaps in another version of the program. Called once, before a handler is added
     * to the pipeline. After an exception the connection is left as if it could not be restored.
     *
     * @param in what was written; belongs to the caller
     * @return the value
     */
    T decode(ByteBuf in);

    /**
     * Returns whether a version of the program must know the attribute. A version that does not move it then leaves the
     * connection in the escrow, or with the process before.
     *
     * @return {@code false} by default: such a version goes on without the value
     */
    default boolean mustBeRestored() {
        return false;
    }
}
