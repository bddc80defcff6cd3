package io.escrow.daemon;

import io.escrow.codec.PacketEnd;
import io.escrow.daemon.kernel.DescriptorCloser;
import io.escrow.daemon.store.Store;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;

/**
 * Lets the closing of descriptors catch up before the next packet of a session is received, when they are as many as may be
 * held: a packet at the limit has room for its own descriptors, and not for those that were closed and are still open.
 */
final class ClosingPace extends ChannelInboundHandlerAdapter {

    private final Store store;
    private final int most;
    private final DescriptorCloser closer;

    /** Keeps the descriptors of a store, and those that are being closed, within a limit. */
    ClosingPace(Store store, int most, DescriptorCloser closer) {
        this.store = store;
        this.most = most;
        this.closer = closer;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        ctx.fireChannelRead(msg);
        if (msg == PacketEnd.INSTANCE) {
            keep();
        }
    }

    /** Waits, if there is no room for the descriptors of another packet. */
    void keep() {
        if (store.descriptors() + closer.waiting() > most) {
            closer.catchUp();
        }
    }
}
