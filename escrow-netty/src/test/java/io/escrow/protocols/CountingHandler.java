package io.escrow.protocols;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import java.util.ArrayDeque;
import java.util.Queue;

/** Answers each message with {@code length u16, number of the message in the connection i32, body}. */
final class CountingHandler extends SimpleChannelInboundHandler<ByteBuf> {

    private final Queue<ByteBuf> unanswered = new ArrayDeque<>();
    private int count;
    private boolean silent;
    private ChannelHandlerContext ctx;
    private Runnable onMessage = () -> {};

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        this.ctx = ctx;
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, ByteBuf body) {
        count++;
        ByteBuf answer = ctx.alloc().buffer();
        answer.writeShort(Integer.BYTES + body.readableBytes()).writeInt(count).writeBytes(body);
        unanswered.add(answer);
        onMessage.run();
        if (!silent) {
            answer();
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        // What makes no sense is not answered.
    }

    private void answer() {
        while (!unanswered.isEmpty()) {
            ctx.write(unanswered.poll());
        }
        ctx.flush();
    }

    /** Answers no message until it is told to. */
    void silence(boolean silent) {
        this.silent = silent;
        if (!silent) {
            answer();
        }
    }

    /** Sets what is called for each message, before it is answered. */
    void onMessage(Runnable listener) {
        onMessage = listener;
    }

    int unanswered() {
        return unanswered.size();
    }

    int count() {
        return count;
    }

    void count(int count) {
        this.count = count;
    }
}
