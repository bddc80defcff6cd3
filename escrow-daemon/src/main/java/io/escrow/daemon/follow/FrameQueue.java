package io.escrow.daemon.follow;

import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.codec.PacketEnd;
import io.escrow.daemon.events.FailureDetector;
import io.escrow.daemon.kernel.OpenFiles;
import io.netty.channel.Channel;
import io.netty.channel.ChannelPromise;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayDeque;
import java.util.Queue;

/**
 * Sends frames to the follower in order, and knows what has become of them. A frame that is <em>written</em> is in the
 * kernel's queue of the follower's socket: the follower gets it, even when this process is killed. A frame that is
 * <em>acknowledged</em> was carried out.
 *
 * <p>Used on the daemon's event loop, which the channel is on.
 */
final class FrameQueue {

    private record Waiter(long frames, Runnable task) {}

    /** Frames that were written together: how many were sent with them, their bytes, and their descriptors. */
    private record Batch(long upTo, long bytes, int descriptors) {}

    /** What a frame takes at least. */
    private static final int BYTES_OF_FRAME = 2 * 1024;

    /** Room for what a follower in step has not acknowledged yet, and for what is on its way. */
    private static final long ACKNOWLEDGED = 3L << 20;

    private static final int DESCRIPTORS_IF_UNKNOWN = 512;

    private final Channel channel;
    private final FailureDetector failures;
    private final long mostBehind;
    private final long mostDescriptors;
    private final Runnable allWritten;
    private final Queue<Batch> unacknowledged = new ArrayDeque<>();
    private final Queue<Waiter> waiters = new ArrayDeque<>();
    private long sent;
    private long flushed;
    private long written;
    private long acknowledged;
    private long bytesBehind;
    private long unsentBytes;
    private int unsentDescriptors;
    private long descriptorsBehind;
    private boolean closed;

    /**
     * Creates an empty queue.
     *
     * @param mostBehind how many bytes the follower may not have carried out; each frame counts as 2 KiB at least
     * @param mostDescriptors how many descriptors may be under way; those of frames that go out together always may, alone. The
     *     kernel bounds how many a user has in the queues of sockets, and a follower that is stopped leaves them there
     * @param allWritten run each time when everything that was sent is written
     */
    FrameQueue(Channel channel, FailureDetector failures, long mostBehind, long mostDescriptors, Runnable allWritten) {
        this.channel = channel;
        this.failures = failures;
        this.mostBehind = mostBehind;
        this.mostDescriptors = mostDescriptors;
        this.allWritten = allWritten;
    }

    /**
     * Returns the least number of bytes that a follower must be allowed to be behind: what two packets of a client may change, and
     * what the follower acknowledges at once.
     */
    static long leastBehind(Limits session) {
        return 2 * Math.max(session.packetBytes(), (long) session.packetFrames() * BYTES_OF_FRAME) + ACKNOWLEDGED;
    }

    /**
     * Returns how many descriptors may be on their way to a follower. The kernel allows each user as many as this process may
     * have open, and clients need some of them.
     */
    static long mostDescriptors() {
        try {
            return OpenFiles.allowedNow() / 2;
        } catch (EscrowException e) {
            return DESCRIPTORS_IF_UNKNOWN;
        }
    }

    /**
     * Sends a frame at the end of this turn of the event loop, or with the next {@link #flush}. Its body is not used any more when
     * this method returns.
     */
    void send(LinkFrame frame) {
        if (closed) {
            release(frame);
            return;
        }
        if (sent == flushed) {
            channel.eventLoop().execute(failures.guard(this::flush));
        }
        sent++;
        unsentBytes += frame.body().length();
        unsentDescriptors += frame.descriptor() == null ? 0 : 1;
        if (channel.isActive()) {
            channel.write(frame, channel.voidPromise());
        } else {
            release(frame);
        }
    }

    /** Writes what was sent; when the follower has acknowledged more, if too many descriptors are under way. */
    void flush() {
        if (closed || sent == flushed || hasTooManyDescriptors()) {
            return;
        }
        long upTo = sent;
        flushed = upTo;
        unacknowledged.add(new Batch(upTo, unsentBytes, unsentDescriptors));
        bytesBehind += unsentBytes;
        descriptorsBehind += unsentDescriptors;
        unsentBytes = 0;
        unsentDescriptors = 0;
        if (!channel.isActive()) {
            return;
        }
        ChannelPromise last = channel.newPromise();
        last.addListener(done -> {
            if (done.isSuccess()) {
                failures.guard(() -> written(upTo)).run();
            }
        });
        channel.writeAndFlush(PacketEnd.INSTANCE, last);
    }

    private boolean hasTooManyDescriptors() {
        return unsentDescriptors > 0
                && descriptorsBehind > 0
                && descriptorsBehind + unsentDescriptors > mostDescriptors;
    }

    private void written(long frames) {
        written = Math.max(written, frames);
        while (!waiters.isEmpty() && waiters.element().frames <= written) {
            waiters.remove().task.run();
        }
        if (isAllWritten()) {
            allWritten.run();
        }
    }

    /** Returns whether everything that was sent is written, and nothing waits for it. */
    boolean isAllWritten() {
        return written == sent && waiters.isEmpty();
    }

    /** Runs a task when everything is written that was sent until now; at once, if it is. Tasks run in order. */
    void whenWritten(Runnable task) {
        if (isAllWritten()) {
            task.run();
        } else {
            waiters.add(new Waiter(sent, task));
            flush();
        }
    }

    /** Notes how many frames the follower has carried out. */
    void acknowledged(long frames) {
        acknowledged = Math.max(acknowledged, Math.min(frames, sent));
        while (!unacknowledged.isEmpty() && unacknowledged.element().upTo <= acknowledged) {
            Batch batch = unacknowledged.remove();
            bytesBehind -= batch.bytes;
            descriptorsBehind -= batch.descriptors;
        }
        flush();
    }

    /** Returns how many frames were sent. */
    long sent() {
        return sent;
    }

    /** Returns how many frames the follower has carried out. */
    long acknowledged() {
        return acknowledged;
    }

    /** Returns how many frames the follower has not carried out. */
    int framesBehind() {
        return (int) (sent - acknowledged);
    }

    /** Returns how many bytes of frames the follower has not carried out; those of frames that go out together count together. */
    long bytesBehind() {
        return bytesBehind + unsentBytes;
    }

    /** Returns whether the follower is further behind than it may be. */
    boolean isTooFarBehind() {
        return Math.max(bytesBehind(), (long) framesBehind() * BYTES_OF_FRAME) > mostBehind;
    }

    /** Sends nothing any more. What waits for what was not written goes on waiting. */
    void close() {
        closed = true;
    }

    /** Runs everything that waits, although the follower may never get what it waits for. */
    void runWaiters() {
        while (!waiters.isEmpty()) {
            waiters.remove().task.run();
        }
    }

    /** Forgets everything that waits. */
    void dropWaiters() {
        waiters.clear();
    }

    static void release(LinkFrame frame) {
        ReferenceCountUtil.release(frame.descriptor());
    }
}
