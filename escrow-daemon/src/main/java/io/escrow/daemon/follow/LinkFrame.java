package io.escrow.daemon.follow;

import io.netty.channel.unix.FileDescriptor;

/**
 * A frame on a link.
 *
 * @param kind what it says
 * @param body its fields, valid until the handler returns that gets the frame, or it is sent
 * @param keepFlags whether receiving the descriptor must not change the flags of its open file
 * @param descriptor its descriptor or {@code null}. To send: released when it is sent, if it has references. Received: an
 *     {@code OwnedDescriptor}, which the receiver releases
 */
record LinkFrame(LinkKind kind, Fields body, boolean keepFlags, FileDescriptor descriptor) {

    /** Makes a frame without a descriptor. */
    static LinkFrame of(LinkKind kind, Fields body) {
        return new LinkFrame(kind, body, false, null);
    }

    /** Makes a frame without a body. */
    static LinkFrame of(LinkKind kind) {
        return of(kind, Fields.write(0));
    }
}
