package io.escrow.daemon;

import io.escrow.codec.Frame;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelPromise;
import io.netty.util.ReferenceCountUtil;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;

/**
 * Lets the answers to each packet wait until the follower has what they are about, in order. Without a follower they go out at
 * once. When the answers to as many packets wait as the client may have in flight, the channel is not writable, so that no
 * more is read.
 */
final class HeldAnswers extends ChannelDuplexHandler {

    /** The channel's own bit for this; see {@link ChannelOutboundBuffer#setUserDefinedWritability}. */
    private static final int WRITABILITY = 1;

    private record Answer(Object message, ChannelPromise promise) {

        void drop() {
            ReferenceCountUtil.release(message instanceof Frame.Add add ? add.descriptor() : message);
            promise.tryFailure(new ClosedChannelException());
        }
    }

    private final Mirror mirror;
    private final int mostPackets;
    private final Queue<List<Answer>> packets = new ArrayDeque<>();
    private List<Answer> packet = new ArrayList<>();

    /**
     * Creates a handler for one session.
     *
     * @param mostPackets how many packets a client may have in flight
     */
    HeldAnswers(Mirror mirror, int mostPackets) {
        this.mirror = mirror;
        this.mostPackets = mostPackets;
    }

    /** Returns whether no answer waits. */
    boolean isEmpty() {
        return packets.isEmpty() && packet.isEmpty();
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
        if (isEmpty() && !mirror.isHolding()) {
            ctx.write(message, promise);
        } else {
            packet.add(new Answer(message, promise));
        }
    }

    @Override
    public void flush(ChannelHandlerContext ctx) {
        if (isEmpty()) {
            ctx.flush();
            return;
        }
        packets.add(packet);
        packet = new ArrayList<>();
        mirror.whenMirrored(() -> send(ctx));
        if (packets.size() >= mostPackets) {
            writable(ctx, false);
        }
    }

    private void send(ChannelHandlerContext ctx) {
        List<Answer> answers = packets.poll();
        if (answers == null) {
            return; // They were dropped with the connection.
        }
        answers.forEach(answer -> ctx.write(answer.message, answer.promise));
        ctx.flush();
        if (packets.size() < mostPackets) {
            writable(ctx, true);
        }
        mirror.settle();
    }

    private static void writable(ChannelHandlerContext ctx, boolean writable) {
        ChannelOutboundBuffer buffer = ctx.channel().unsafe().outboundBuffer();
        if (buffer != null && buffer.getUserDefinedWritability(WRITABILITY) != writable) {
            buffer.setUserDefinedWritability(WRITABILITY, writable);
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        mirror.settle();
        ctx.fireChannelReadComplete();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        mirror.settle();
        ctx.fireChannelWritabilityChanged();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        drop();
        ctx.fireChannelInactive();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        drop();
    }

    private void drop() {
        packets.forEach(answers -> answers.forEach(Answer::drop));
        packets.clear();
        packet.forEach(Answer::drop);
        packet.clear();
    }
}
