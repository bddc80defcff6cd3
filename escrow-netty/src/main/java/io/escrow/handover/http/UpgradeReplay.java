package io.escrow.handover.http;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * Has an upgrade request answered once more, so that the pipeline becomes what it was. Stands before the codec until the
 * HTTP codec has gone, and drops everything that is written meanwhile: nothing of it must reach the peer.
 */
final class UpgradeReplay extends ChannelDuplexHandler {

    /** Handlers may decide about an upgrade asynchronously; but an adoption must end. */
    private static final int SECONDS = 10;

    private final ChannelHandlerContext codec;
    private final CompletableFuture<Void> done = new CompletableFuture<>();
    private ChannelHandlerContext ctx;

    private UpgradeReplay(ChannelHandlerContext codec) {
        this.codec = codec;
    }

    /**
     * Prepares a replay.
     *
     * @param first the handler to which the request goes
     * @param codec the HTTP codec, which goes when the answer is written
     */
    static UpgradeReplay install(ChannelPipeline pipeline, ChannelHandler first, ChannelHandlerContext codec) {
        UpgradeReplay replay = new UpgradeReplay(codec);
        pipeline.addBefore(pipeline.context(first).name(), "escrow-replay", replay);
        return replay;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        this.ctx = ctx;
    }

    CompletableFuture<Void> run(ByteBuf request) {
        Future<?> timeout = ctx.executor()
                .schedule(() -> fail("it was not answered within " + SECONDS + " s"), SECONDS, TimeUnit.SECONDS);
        done.whenComplete((nothing, failure) -> timeout.cancel(false));
        ctx.fireChannelRead(request);
        ctx.fireChannelReadComplete();
        check();
        return done;
    }

    void answered(boolean asExpected) {
        if (asExpected) {
            // The codec goes when the answer is written.
            ctx.executor().execute(this::check);
        } else {
            fail("it was answered otherwise this time");
        }
    }

    private void check() {
        if (codec.isRemoved() && !done.isDone()) {
            ctx.pipeline().remove(this);
            done.complete(null);
        }
    }

    private void fail(String reason) {
        // What is written is still dropped.
        done.completeExceptionally(new IOException("the upgrade could not be repeated: " + reason));
    }

    /** Not done at once: handlers that go with the answer may still have to see the end of the request. */
    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
        ReferenceCountUtil.release(msg);
        ctx.executor().execute(promise::trySuccess);
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        fail("the connection has ended");
        ctx.fireChannelInactive();
    }
}
