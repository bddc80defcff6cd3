package io.escrow.daemon;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.codec.PacketEnd;
import io.escrow.daemon.config.SessionTimeouts;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.IntSupplier;

/**
 * Ends the session of a client that delays the others: a client that sends no hello, stops in the middle of a packet,
 * or does not read its answers.
 *
 * <p>Time is counted in steps, and each step begins when the previous one is over. So time during which the daemon
 * itself was stopped does not count against the client.
 */
final class SessionWatchdog extends ChannelInboundHandlerAdapter {

    /** The number of steps in the shortest timeout. */
    private static final int STEPS = 4;

    private enum Wait {
        NONE,
        HELLO,
        PACKET,
        READER
    }

    /** What the client has to do next, and how much of it is done. */
    private record Progress(Wait what, long part, long done, long left) {

        static final Progress GREETING = new Progress(Wait.HELLO, 0, 0, 0);
        static final Progress IDLE = new Progress(Wait.NONE, 0, 0, 0);
    }

    private final SessionTimeouts timeouts;
    private final IntSupplier received;
    private final long stepNanos;
    private Future<?> ticking;
    private boolean greeted;
    private boolean paused;
    private long packets;
    private Progress last = Progress.GREETING;
    private int stepsWithoutProgress;

    /**
     * Creates a watchdog for one session.
     *
     * @param received returns how many bytes of the current packet have been received, 0 between packets
     */
    SessionWatchdog(SessionTimeouts timeouts, IntSupplier received) {
        this.timeouts = timeouts;
        this.received = received;
        this.stepNanos = Collections.min(List.of(timeouts.hello(), timeouts.stall(), timeouts.write()))
                        .toNanos()
                / STEPS;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        ticking = ctx.executor().scheduleWithFixedDelay(() -> tick(ctx), stepNanos, stepNanos, TimeUnit.NANOSECONDS);
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        ticking.cancel(false);
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (msg == PacketEnd.INSTANCE) {
            greeted = true;
            packets++;
        }
        ctx.fireChannelRead(msg);
    }

    /** Goes on with a session that another daemon has begun. */
    void resumed(boolean hasGreeted) {
        greeted = hasGreeted;
    }

    /** Sets whether the session is paused: the client can do nothing then. */
    void pause(boolean pause) {
        paused = pause;
    }

    private void tick(ChannelHandlerContext ctx) {
        try {
            if (!paused) {
                step(ctx);
            }
        } catch (Error e) {
            ctx.fireExceptionCaught(e); // Otherwise nobody would notice.
        }
    }

    private void step(ChannelHandlerContext ctx) {
        Progress now = look(ctx.channel().unsafe().outboundBuffer());
        stepsWithoutProgress = now.equals(last) ? stepsWithoutProgress + 1 : 0;
        last = now;
        Duration waited = Duration.ofNanos(stepNanos * stepsWithoutProgress);
        switch (now.what()) {
            case HELLO -> {
                if (waited.compareTo(timeouts.hello()) >= 0) {
                    end(ctx, "no hello within " + timeouts.hello().toMillis() + " ms");
                }
            }
            case PACKET -> {
                if (waited.compareTo(timeouts.stall()) >= 0) {
                    end(
                            ctx,
                            "stopped in the middle of a packet for "
                                    + timeouts.stall().toMillis() + " ms");
                }
            }
            case READER -> {
                if (waited.compareTo(timeouts.write()) >= 0) {
                    end(ctx, "answers not read for " + timeouts.write().toMillis() + " ms");
                    // The client will not read this reply either.
                    ctx.close();
                }
            }
            case NONE -> {}
        }
    }

    private Progress look(ChannelOutboundBuffer answers) {
        if (answers != null && answers.totalPendingWriteBytes() > 0) {
            // Includes the last reply of a session, whatever ended the session.
            int first = System.identityHashCode(answers.current());
            return new Progress(Wait.READER, first, answers.currentProgress(), answers.totalPendingWriteBytes());
        }
        if (!greeted) {
            return Progress.GREETING;
        }
        int begun = received.getAsInt();
        return begun == 0 ? Progress.IDLE : new Progress(Wait.PACKET, packets, begun, 0);
    }

    private void end(ChannelHandlerContext ctx, String text) {
        ctx.fireExceptionCaught(new EscrowException(Status.ETIMEDOUT, text));
    }
}
