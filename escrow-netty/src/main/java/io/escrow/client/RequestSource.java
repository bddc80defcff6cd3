package io.escrow.client;

import io.escrow.EscrowException;

/** Waits in the queue, and gives out its requests when a packet has room. Used on the event loop only. */
interface RequestSource {

    /** Returns the next request to send, or {@code null} when there is no more. */
    Request next();

    /** Ends this source: the requests that it has not given out yet can't be sent any more. */
    void fail(EscrowException cause);
}
