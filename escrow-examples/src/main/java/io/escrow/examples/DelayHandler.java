package io.escrow.examples;

import io.escrow.handover.protocol.PendingWork;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.util.concurrent.TimeUnit;

/** Delays everything that is read, as if the server needed some work for each answer. */
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
        // So that a handover waits until it is answered.
        PendingWork work = PendingWork.begin(ctx.channel());
        ctx.executor()
                .schedule(
                        () -> {
                            task.run();
                            work.close();
                        },
                        millis,
                        TimeUnit.MILLISECONDS);
    }
}
