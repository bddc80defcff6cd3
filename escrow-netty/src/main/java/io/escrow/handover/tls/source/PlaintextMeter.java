package io.escrow.handover.tls.source;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;

/** Stands behind the handler of TLS, and counts the bytes that come out of it. */
final class PlaintextMeter extends ChannelInboundHandlerAdapter {

    private long bytes;

    /** Returns how many bytes have come out. */
    long bytes() {
        return bytes;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (msg instanceof ByteBuf buf) {
            bytes += buf.readableBytes();
        }
        ctx.fireChannelRead(msg);
    }
}
