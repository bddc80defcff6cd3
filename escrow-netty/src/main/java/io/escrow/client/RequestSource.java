package io.escrow.client;

import io.escrow.EscrowException;

/** Stands in the queue of requests and gives them out when a packet has room. Used on the event loop only. */
interface RequestSource {

    /** Returns the next request to send, or {@code null} when there is no more. */
    Request next();

    /** Ends this source: what it has not given out yet can't be sent any more. */
    void fail(EscrowException cause);
}
