package io.escrow.daemon.follow;

import io.escrow.Limits;

/**
 * What a session has been through.
 *
 * @param greeted whether the client has greeted
 * @param keepsFlags whether the client receives descriptors without changing the flags of their open files
 * @param batches whether the descriptors of each packet come in one message, in both directions
 * @param requests the number of requests that were carried out or refused
 * @param millis how long the session has lasted, in milliseconds
 * @param queuedMillis how long the client had waited for it, in milliseconds; -1 if unknown
 * @param limits the limits that the client was told
 */
public record SessionState(
        boolean greeted,
        boolean keepsFlags,
        boolean batches,
        long requests,
        long millis,
        long queuedMillis,
        Limits limits) {

    LinkFrame frame(LinkKind kind) {
        return LinkFrame.of(
                kind,
                Fields.write()
                        .put(greeted)
                        .put(keepsFlags)
                        .put(requests)
                        .put(millis)
                        .put(queuedMillis)
                        .put(limits)
                        .put(batches));
    }

    static SessionState of(LinkFrame frame) {
        Fields in = frame.body();
        boolean greeted = in.getBoolean();
        boolean keepsFlags = in.getBoolean();
        long requests = in.getLong();
        long millis = in.getLong();
        long queuedMillis = in.getLong();
        Limits limits = in.getLimits();
        // An older daemon does not say it.
        boolean batches = in.hasMore() && in.getBoolean();
        return new SessionState(greeted, keepsFlags, batches, requests, millis, queuedMillis, limits);
    }
}
