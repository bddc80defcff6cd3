package io.escrow.handover.tls.source;

import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;

/**
 * Sees all that a TLS connection gets from the kernel, and all that the kernel is to get: as a handler on the network's side of all
 * others, or else it is told by one that is there anyway.
 */
public abstract class NetworkMeter extends ChannelDuplexHandler {

    /** Its name as a handler. */
    public static final String NAME = "escrow-tls-counter";

    /** Makes one that has seen nothing. */
    protected NetworkMeter() {}

    /** Is told what was read, before any handler works on it. */
    protected abstract void reading(Object msg);

    /** Is told what is going to be written, before the kernel may get any of it. */
    protected abstract void writing(Object msg);

    @Override
    public final void channelRead(ChannelHandlerContext ctx, Object msg) {
        reading(msg);
        ctx.fireChannelRead(msg);
    }

    @Override
    public final void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
        writing(msg);
        ctx.write(msg, promise);
    }
}
