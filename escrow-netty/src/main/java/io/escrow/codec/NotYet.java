package io.escrow.codec;

import java.io.Serial;

/** Ends a read loop in which a descriptor is due that has not come yet; level-triggered epoll comes back. */
final class NotYet extends RuntimeException {

    @SuppressWarnings("StaticAssignmentOfThrowable") // it has no stack
    static final RuntimeException INSTANCE = new NotYet();

    @Serial
    private static final long serialVersionUID = 1;

    private NotYet() {
        super("a descriptor is due", null, false, false);
    }
}
