package io.escrow.daemon.follow;

import io.escrow.Limits;
import io.escrow.daemon.config.StoreLimits;

/**
 * What a primary may come to hold, and allows its clients.
 *
 * @param session the limits of a session
 * @param store the limits of the store
 */
public record PrimaryLimits(Limits session, StoreLimits store) {

    LinkFrame frame() {
        return LinkFrame.of(
                LinkKind.LIMITS,
                Fields.write()
                        .put(session)
                        .put(store.slots())
                        .put(store.payloadBytes())
                        .put(store.descriptors()));
    }

    static PrimaryLimits of(Fields in) {
        return new PrimaryLimits(in.getLimits(), new StoreLimits(in.getInt(), in.getLong(), in.getInt()));
    }
}
