package io.escrow.daemon.follow;

import io.escrow.Limits;
import io.escrow.daemon.events.FailureDetector;
import io.netty.channel.Channel;
import io.netty.channel.ChannelPromise;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
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

    /** Frames that were written together: how many were sent with them, and their bytes. */
    private record Batch(long upTo, long bytes) {}

    /** What a frame takes at least. */
    private static final int BYTES_OF_FRAME = 2 * 1024;

    /** Room for what a follower in step has not acknowledged yet, and for what is on its way. */
    private static final long ACKNOWLEDGED = 3L << 20;

    private final Channel channel;
    private final FailureDetector failures;
    private final long mostBehind;
    private final Runnable allWritten;
    private final Queue<Batch> unacknowledged = new ArrayDeque<>();
    private final Queue<Waiter> waiters = new ArrayDeque<>();
    private List<LinkFrame> unsent = new ArrayList<>();
    private long sent;
    private long written;
    private long acknowledged;
    private long bytesBehind;
    private long unsentBytes;
    private boolean closed;

    /**
     * Creates an empty queue.
     *
     * @param mostBehind how many bytes the follower may not have carried out; each frame counts as 2 KiB at least
     * @param allWritten run each time when everything that was sent is written
     */
    FrameQueue(Channel channel, FailureDetector failures, long mostBehind, Runnable allWritten) {
        this.channel = channel;
        this.failures = failures;
        this.mostBehind = mostBehind;
        this.allWritten = allWritten;
    }

    /**
     * Returns the least number of bytes that a follower must be allowed to be behind: what two packets of a client may change, and
     * what the follower acknowledges at once.
     */
    static long leastBehind(Limits session) {
        return 2 * Math.max(session.packetBytes(), (long) session.packetFrames() * BYTES_OF_FRAME) + ACKNOWLEDGED;
    }

    /** Sends a frame at the end of this turn of the event loop, or with the next {@link #flush}. */
    void send(LinkFrame frame) {
        if (closed) {
            release(frame);
            return;
        }
        sent++;
        unsentBytes += frame.body().length();
        if (unsent.isEmpty()) {
            channel.eventLoop().execute(failures.guard(this::flush));
        }
        unsent.add(frame);
    }

    /** Writes what was sent. */
    void flush() {
        if (unsent.isEmpty()) {
            return;
        }
        List<LinkFrame> frames = unsent;
        unsent = new ArrayList<>(frames.size());
        unacknowledged.add(new Batch(sent, unsentBytes));
        bytesBehind += unsentBytes;
        unsentBytes = 0;
        if (!channel.isActive()) {
            frames.forEach(FrameQueue::release);
            return;
        }
        long upTo = sent;
        ChannelPromise last = channel.newPromise();
        last.addListener(done -> {
            if (done.isSuccess()) {
                failures.guard(() -> written(upTo)).run();
            }
        });
        for (int i = 0; i < frames.size(); i++) {
            channel.write(frames.get(i), i == frames.size() - 1 ? last : channel.voidPromise());
        }
        channel.flush();
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
            bytesBehind -= unacknowledged.remove().bytes;
        }
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

    /** Sends nothing any more, and drops what was not written. What waits for it goes on waiting. */
    void close() {
        closed = true;
        unsent.forEach(FrameQueue::release);
        unsent.clear();
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
