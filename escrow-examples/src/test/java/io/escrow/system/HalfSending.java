package io.escrow.system;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/** Sends what a client writes in pieces, so that the messages of its protocol arrive in parts. */
final class HalfSending extends ChannelOutboundHandlerAdapter {

    private static final int MAX_MILLIS = 40;

    private final Random random;
    private final ByteBuf waiting = Unpooled.buffer();

    HalfSending(Random random) {
        this.random = random;
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
        ByteBuf bytes = (ByteBuf) msg;
        boolean sending = waiting.isReadable();
        waiting.writeBytes(bytes);
        bytes.release();
        promise.trySuccess();
        if (!sending && waiting.isReadable()) {
            sendPiece(ctx);
        }
    }

    private void sendPiece(ChannelHandlerContext ctx) {
        ctx.writeAndFlush(waiting.readBytes(1 + random.nextInt(waiting.readableBytes())));
        waiting.discardReadBytes();
        if (waiting.isReadable()) {
            ctx.executor().schedule(() -> sendPiece(ctx), 1 + random.nextInt(MAX_MILLIS), TimeUnit.MILLISECONDS);
        }
    }
}
