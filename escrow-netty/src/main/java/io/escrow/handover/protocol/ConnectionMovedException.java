package io.escrow.handover.protocol;

import java.io.Serial;
import java.nio.channels.ClosedChannelException;

/**
 * Fails the future of a write whose bytes were handed over with their connection: the next process sends them, so they
 * must not be sent again. The channel is closed in this process, but not the connection.
 *
 * <p>A write that was made too late to be handed over fails with another {@link ClosedChannelException}: nobody sends its
 * bytes.
 */
public final class ConnectionMovedException extends ClosedChannelException {

    @Serial
    private static final long serialVersionUID = 1;

    /** Makes an exception for the writes of one connection. */
    public ConnectionMovedException() {}

    @Override
    public String getMessage() {
        return "the connection was handed over, and the bytes of this write with it: the next process sends them";
    }
}
