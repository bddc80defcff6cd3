package io.escrow.daemon.follow;

import io.escrow.Deposit;
import io.netty.channel.unix.FileDescriptor;

/**
 * A frame on a link.
 *
 * @param kind what it says
 * @param body its fields
 * @param keepFlags whether receiving the descriptor must not change the flags of its open file
 * @param descriptor its descriptor or {@code null}. To send: released when it is sent, if it has references. Received: an
 *     {@code OwnedDescriptor}, which the receiver releases
 */
@SuppressWarnings("ArrayRecordComponent") // frames are not compared
record LinkFrame(LinkKind kind, byte[] body, boolean keepFlags, FileDescriptor descriptor) {

    /** Makes a frame without a descriptor. */
    static LinkFrame of(LinkKind kind, byte[] body) {
        return new LinkFrame(kind, body, false, null);
    }

    /** Makes a frame without a body. */
    static LinkFrame of(LinkKind kind) {
        return of(kind, Deposit.NO_BYTES);
    }
}
