package io.escrow.codec;

/**
 * Takes the place of a descriptor that was sent but could not be received: this process has as many open as it may
 * (recvmsg(2), MSG_CTRUNC), or the flags of the open file can't be set. The framing is intact; only the request that
 * brought the descriptor fails.
 */
enum LostDescriptor {
    INSTANCE
}
