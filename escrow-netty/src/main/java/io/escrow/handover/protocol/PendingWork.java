package io.escrow.handover.protocol;

import io.netty.channel.Channel;
import io.netty.util.Attribute;
import io.netty.util.AttributeKey;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Counts a piece of work that a server does for a connection on threads of its own: a request that a scheduler, another
 * thread or the client of a database answers later. While work is pending on a channel, its connection does not move to
 * the next process.
 *
 * <pre>{@code
 * PendingWork work = PendingWork.begin(ctx.channel());
 * database.find(request).whenComplete((answer, failure) -> {
 *     ctx.writeAndFlush(encode(answer, failure));
 *     work.close();
 * });
 * }</pre>
 *
 * <p>Begin the work where the request is read, and end it after the last write. Writes that were handed to the channel
 * before the end of the work are not lost. End it on each path, also when the work fails: the connection never comes to
 * rest otherwise.
 *
 * <p>May be used by any thread, and for any channel: one of a server that is never handed over just counts.
 */
public final class PendingWork implements AutoCloseable {

    /** Of the work on a channel: how many were begun in the upper half, how many are pending in the lower one. */
    private static final AttributeKey<AtomicLong> COUNTS = AttributeKey.valueOf(PendingWork.class, "counts");

    private static final long BEGUN = 1L << Integer.SIZE;
    private static final long PENDING = 1;

    private final AtomicLong counts;
    private final AtomicBoolean ended = new AtomicBoolean();

    private PendingWork(AtomicLong counts) {
        this.counts = counts;
    }

    /**
     * Begins a piece of work.
     *
     * @param channel the channel that the work is for; it need not be active yet
     * @return the work, to be closed when it is done
     */
    public static PendingWork begin(Channel channel) {
        Attribute<AtomicLong> attribute = channel.attr(COUNTS);
        AtomicLong counts = attribute.get();
        if (counts == null) {
            AtomicLong fresh = new AtomicLong();
            AtomicLong other = attribute.setIfAbsent(fresh);
            counts = other == null ? fresh : other;
        }
        counts.addAndGet(BEGUN + PENDING);
        return new PendingWork(counts);
    }

    /**
     * Returns how many pieces of work are pending on a channel.
     *
     * @param channel the channel
     * @return the number, 0 or more
     */
    public static int pending(Channel channel) {
        return (int) counts(channel);
    }

    /**
     * Returns how many pieces of work were begun on a channel so far, so that one that was begun and ended meanwhile can be
     * noticed.
     *
     * @param channel the channel
     * @return the number, modulo 2<sup>32</sup>
     */
    public static int begun(Channel channel) {
        return (int) (counts(channel) >>> Integer.SIZE);
    }

    private static long counts(Channel channel) {
        // Not made for a channel that has none: most have not.
        AtomicLong counts = channel.hasAttr(COUNTS) ? channel.attr(COUNTS).get() : null;
        return counts == null ? 0 : counts.get();
    }

    /** Ends the work. Ending it again does nothing. */
    @Override
    public void close() {
        if (ended.compareAndSet(false, true)) {
            counts.addAndGet(-PENDING);
        }
    }
}
