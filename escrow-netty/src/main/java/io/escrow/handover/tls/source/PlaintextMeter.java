package io.escrow.handover.tls.source;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;

/** Stands right behind the handler of TLS, and counts the bytes that come out of it. */
public class PlaintextMeter extends ChannelDuplexHandler {

    private long bytes;

    /** Makes one that has counted nothing. */
    public PlaintextMeter() {}

    /** Returns how many bytes have come out. */
    final long bytes() {
        return bytes;
    }

    @Override
    public final void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (msg instanceof ByteBuf buf) {
            bytes += buf.readableBytes();
        }
        ctx.fireChannelRead(msg);
    }
}
