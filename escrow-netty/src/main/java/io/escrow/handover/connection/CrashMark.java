package io.escrow.handover.connection;

import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Marks a connection that is in the middle of something, for the process that finds it after a crash: see {@link CrashMarks}. Lives on
 * the channel's event loop.
 *
 * <p>When each message has an answer of its own, as in HTTP, the mark is set before a read, so that nothing of what is read can be
 * missed. Otherwise it is set behind a read or a write that has left something half done. With TLS it is set behind each read, and
 * before anything is encrypted, and taken away when all of that is with the kernel, and counted.
 */
final class CrashMark implements TlsGuard.Mark {

    private static final Logger logger = LoggerFactory.getLogger(CrashMark.class);

    private Channel channel;
    private ChannelHandlerContext ctx;
    private MessageGate gate;
    private boolean enabled;
    private CrashKeys keys;
    private CrashMarks.Mark mark;
    private boolean set;
    private boolean inRead;
    private boolean awaitsFlush;
    private boolean idle;
    private int pipelineLooks;
    private List<ChannelHandler> collecting = List.of();

    /** Begins with a connection of which nothing is marked yet. */
    void attached(ChannelHandlerContext handlerContext) {
        channel = handlerContext.channel();
        ctx = handlerContext;
    }

    /**
     * Marks a connection as its pipeline is now; nothing of a message has come through that.
     *
     * @param present the gate of the connection; {@code null} if it has none
     * @param known the keys of a TLS connection; {@code null} if it is none
     */
    void enable(MessageGate present, CrashKeys known) {
        gate = present;
        keys = known;
        enabled = true;
        idle = false;
        pipelineLooks = 0;
        collecting = List.of();
        // Nobody knows the keys yet.
        write(keys != null);
    }

    /**
     * Returns whether the mark is to be {@link #set} before each read. With TLS it need not be: of what is read, the kernel tells
     * the next process, which compares that with what was counted at rest.
     */
    boolean isBeforeReads() {
        return enabled && keys == null && gate != null && gate.marksReads();
    }

    /** Returns whether it makes a difference that something is read, before it is known what. */
    private boolean marksReads() {
        return keys != null || (gate != null && gate.marksReads());
    }

    /** Keeps the mark where the next process finds it from now on; not at all if that is {@code null}. */
    void keepIn(CrashMarks.Mark found) {
        mark = found;
        if (enabled) {
            write(set);
        }
    }

    /** Sets the mark: something is in the memory of this process only. */
    @Override
    public void set() {
        if (!set && enabled) {
            write(true);
        }
    }

    /**
     * Sets whether the mark makes no difference, because the escrow knows that the connection can't go on after a crash. Then it stays
     * set, and nothing is looked at.
     */
    void idle(boolean makesNoDifference) {
        if (idle != makesNoDifference) {
            idle = makesNoDifference;
            if (idle) {
                set();
            } else {
                update();
            }
        }
    }

    /** Is called when something was read. */
    void read() {
        inRead = true;
        if (enabled && !set && marksReads()) {
            write(true);
        }
    }

    /** Is called when the handlers know all that was read. */
    void readCompleted() {
        inRead = false;
        update();
        awaitFlush();
    }

    /** Is called when everything was flushed, as far as the peer takes it. */
    void flushed() {
        if (!inRead) {
            update();
            awaitFlush();
        }
    }

    /** Looks again when the peer has taken what it does not take now. */
    private void awaitFlush() {
        if (set && !idle && !awaitsFlush && isFlushing()) {
            awaitsFlush = true;
            // Its future is done when all before it is with the kernel; what Netty counts, it counts a moment later.
            ctx.write(Unpooled.EMPTY_BUFFER).addListener(f -> {
                if (f.isSuccess()) {
                    ctx.executor().execute(this::flushedAll);
                }
            });
            ctx.flush();
        }
    }

    private void flushedAll() {
        awaitsFlush = false;
        flushed();
    }

    private boolean isFlushing() {
        ChannelOutboundBuffer outbound = channel.unsafe().outboundBuffer();
        return outbound != null && !outbound.isEmpty();
    }

    /** Sets the mark if something is half done, and takes it away if not. */
    void update() {
        if (!inRead && enabled && !idle) {
            boolean middle = isUnsent() || isHalfRead() || (keys != null && !keys.isAtRest());
            if (middle != set) {
                write(middle);
            }
        }
    }

    private boolean isUnsent() {
        ChannelOutboundBuffer outbound = channel.unsafe().outboundBuffer();
        return outbound != null && outbound.totalPendingWriteBytes() > 0;
    }

    private boolean isHalfRead() {
        try {
            if (gate != null) {
                return gate.isHolding() || !gate.isAtRest();
            }
            pipelineLooks++;
            if (Interval.isDue(pipelineLooks)) {
                List<ChannelHandler> found = HandlerInspector.collecting(channel.pipeline());
                found.removeIf(handler -> keys != null && keys.knows(handler));
                // Mostly none: then all connections share one list.
                collecting = List.copyOf(found);
            }
            return HandlerInspector.isHalfRead(collecting);
        } catch (Throwable e) {
            // A protocol that fails does so at a handover, too, and is reported there.
            logger.debug("{} does not tell whether it is at rest", channel, e);
            return true;
        }
    }

    /** Returns, once, whether there are keys which the escrow has not. */
    boolean takeNewKeys() {
        return keys != null && keys.takeChanged();
    }

    private void write(boolean marked) {
        set = marked;
        // Of a channel that has ended, the last one counts.
        if (mark == null || !channel.isOpen()) {
            return;
        }
        if (keys == null || marked) {
            mark.set(marked);
        } else {
            keys.rest(mark);
        }
    }
}
