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
 * Lets the answers to each packet wait until what they are about is certain to reach the follower, in order. Without a follower
 * they go out at once. While answers wait, the channel is not writable, so that no further packet is read: the follower bounds how
 * fast a client can be, and the descriptors that are still to be sent are those of one packet.
 */
final class HeldAnswers extends ChannelDuplexHandler {

    /** The channel's own bit for this; see {@link ChannelOutboundBuffer#setUserDefinedWritability}. */
    private static final int WRITABILITY = 1;

    /** An answer whose sender wants to know when it is sent. Others wait as they are. */
    private record Watched(Object message, ChannelPromise promise) {}

    /** What the answers wait for. */
    interface Follower {
        /** Returns whether answers must wait at all. */
        boolean isHolding();

        /** Runs a task when everything that was done until now is certain to reach the follower. Tasks run in order. */
        void whenMirrored(Runnable task);

        /** Notes whether the session could go on in the follower, if this process were killed now. */
        void settle();
    }

    private final Follower follower;
    private final Queue<List<Object>> packets = new ArrayDeque<>();
    private List<Object> packet = new ArrayList<>();

    /** Creates a handler for one session. */
    HeldAnswers(Follower follower) {
        this.follower = follower;
    }

    /** Returns whether no answer waits. */
    boolean isEmpty() {
        return packets.isEmpty() && packet.isEmpty();
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
        if (isEmpty() && !follower.isHolding()) {
            ctx.write(message, promise);
        } else {
            packet.add(promise.isVoid() ? message : new Watched(message, promise));
        }
    }

    @Override
    public void flush(ChannelHandlerContext ctx) {
        if (isEmpty()) {
            ctx.flush();
            return;
        }
        packets.add(packet);
        packet = new ArrayList<>(packet.size());
        follower.whenMirrored(() -> send(ctx));
        if (!packets.isEmpty()) {
            writable(ctx, false);
        }
    }

    private void send(ChannelHandlerContext ctx) {
        List<Object> answers = packets.poll();
        if (answers == null) {
            return; // They were dropped with the connection.
        }
        ChannelPromise unwatched = ctx.voidPromise();
        for (Object answer : answers) {
            if (answer instanceof Watched watched) {
                ctx.write(watched.message, watched.promise);
            } else {
                ctx.write(answer, unwatched);
            }
        }
        ctx.flush();
        if (packets.isEmpty()) {
            writable(ctx, true);
        }
        follower.settle();
    }

    private static void writable(ChannelHandlerContext ctx, boolean writable) {
        ChannelOutboundBuffer buffer = ctx.channel().unsafe().outboundBuffer();
        if (buffer != null && buffer.getUserDefinedWritability(WRITABILITY) != writable) {
            buffer.setUserDefinedWritability(WRITABILITY, writable);
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        follower.settle();
        ctx.fireChannelReadComplete();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        follower.settle();
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
        packets.forEach(answers -> answers.forEach(HeldAnswers::drop));
        packets.clear();
        packet.forEach(HeldAnswers::drop);
        packet.clear();
    }

    private static void drop(Object answer) {
        Object message = answer instanceof Watched watched ? watched.message : answer;
        ReferenceCountUtil.release(message instanceof Frame.Add add ? add.descriptor() : message);
        if (answer instanceof Watched watched) {
            watched.promise.tryFailure(new ClosedChannelException());
        }
    }
}
