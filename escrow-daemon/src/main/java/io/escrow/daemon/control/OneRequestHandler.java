package io.escrow.daemon.control;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * Passes on one request, and ignores everything after it. Closes a connection whose request is not complete in time.
 */
final class OneRequestHandler extends ChannelInboundHandlerAdapter {

    private final Duration time;
    private Future<?> deadline;
    private boolean come;

    OneRequestHandler(Duration time) {
        this.time = time;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        deadline = ctx.executor().schedule(() -> ctx.close(), time.toMillis(), TimeUnit.MILLISECONDS);
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        deadline.cancel(false);
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (come) {
            ReferenceCountUtil.release(msg);
            return;
        }
        come = true;
        deadline.cancel(false);
        ctx.fireChannelRead(msg);
    }
}
