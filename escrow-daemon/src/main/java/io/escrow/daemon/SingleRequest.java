package io.escrow.daemon;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.timeout.ReadTimeoutHandler;
import io.netty.util.ReferenceCountUtil;

/** Lets one request through, which has come in time then: what a client sends behind it is not answered. */
final class SingleRequest extends ChannelInboundHandlerAdapter {

    private boolean come;

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (come) {
            ReferenceCountUtil.release(msg);
            return;
        }
        come = true;
        ctx.pipeline().remove(ReadTimeoutHandler.class);
        ctx.fireChannelRead(msg);
    }
}
