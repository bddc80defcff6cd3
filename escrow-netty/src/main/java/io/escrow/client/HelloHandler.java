package io.escrow.client;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.codec.Frame;
import io.escrow.codec.PacketEnd;
import io.escrow.codec.Wire;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.util.concurrent.TimeUnit;

/** Sends the greeting, and waits in the daemon's queue for the answer, which comes when it is this client's turn. */
final class HelloHandler extends ChannelInboundHandlerAdapter {

    private static final long REPORT_AFTER_MILLIS = 200;
    private static final long REPORT_AGAIN_MILLIS = 2_000;

    private final Connector<?> connector;
    private final Wire wire;
    private final boolean mayUseBatches;
    private Future<?> reports;
    private boolean answered;

    HelloHandler(Connector<?> connector, Wire wire, boolean mayUseBatches) {
        this.connector = connector;
        this.wire = wire;
        this.mayUseBatches = mayUseBatches;
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        connector.queued();
        // A ring is made when it is this client's turn: others may wait for hours, and it takes open files.
        ctx.writeAndFlush(Frame.Hello.ofClient(System.currentTimeMillis(), mayUseBatches), ctx.voidPromise());
        reports = ctx.executor()
                .scheduleWithFixedDelay(
                        connector::reportWaiting, REPORT_AFTER_MILLIS, REPORT_AGAIN_MILLIS, TimeUnit.MILLISECONDS);
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (msg instanceof Frame.Hello hello && mayUseBatches && hello.batches() && !wire.canUseBatches()) {
            connector.cannotUseBatches();
            ctx.close();
        } else if (msg instanceof Frame.Hello hello) {
            answered = true;
            reports.cancel(false);
            wire.limits(hello.limits());
            if (mayUseBatches && hello.batches()) {
                wire.useBatches();
            }
            connector.opened(ctx.channel(), hello, wire);
        } else if (msg instanceof Frame.Reply reply && missedTurn(reply.status())) {
            // Its turn came while this process was stopped. It goes to the end of the queue.
            ctx.close();
        } else if (msg instanceof Frame.Reply reply) {
            answered = true;
            connector.refused(new EscrowException(reply.status(), reply.text()));
        } else if (msg == PacketEnd.INSTANCE && answered) {
            ctx.pipeline().remove(this);
        }
    }

    private static boolean missedTurn(Status status) {
        return status == Status.ETIMEDOUT || status == Status.ECANCELED;
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        reports.cancel(false);
        if (!answered) {
            connector.lost();
        }
        ctx.fireChannelInactive();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        if (!(cause instanceof IOException)) {
            // It would be the same the next time.
            connector.misunderstood(cause);
        }
        ctx.close();
    }
}
