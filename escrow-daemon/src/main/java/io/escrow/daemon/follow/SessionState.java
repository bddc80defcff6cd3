package io.escrow.daemon.follow;

import io.escrow.Limits;

/**
 * What a session has been through.
 *
 * @param greeted whether the client has greeted
 * @param keepsFlags whether the client receives descriptors without changing the flags of their open files
 * @param requests the number of requests that were carried out or refused
 * @param millis how long the session has lasted, in milliseconds
 * @param queuedMillis how long the client had waited for it, in milliseconds; -1 if unknown
 * @param limits the limits that the client was told
 */
public record SessionState(
        boolean greeted, boolean keepsFlags, long requests, long millis, long queuedMillis, Limits limits) {

    LinkFrame frame(LinkKind kind) {
        return Fields.write()
                .put(greeted)
                .put(keepsFlags)
                .put(requests)
                .put(millis)
                .put(queuedMillis)
                .put(limits)
                .frame(kind);
    }

    static SessionState of(LinkFrame frame) {
        Fields in = Fields.read(frame);
        return new SessionState(
                in.getBoolean(), in.getBoolean(), in.getLong(), in.getLong(), in.getLong(), in.getLimits());
    }
}
