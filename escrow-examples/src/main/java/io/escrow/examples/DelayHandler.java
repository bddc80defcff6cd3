package io.escrow.examples;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.util.concurrent.TimeUnit;

/** Passes everything on a little later, as if a server had something to do before it answers. */
final class DelayHandler extends ChannelInboundHandlerAdapter {

    private final int millis;

    DelayHandler(int millis) {
        this.millis = millis;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        later(ctx, () -> ctx.fireChannelRead(msg));
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        later(ctx, ctx::fireChannelReadComplete);
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        later(ctx, () -> ctx.fireUserEventTriggered(event));
    }

    private void later(ChannelHandlerContext ctx, Runnable task) {
        ctx.executor().schedule(task, millis, TimeUnit.MILLISECONDS);
    }
}
