package io.escrow.daemon.follow;

import io.escrow.Deposit;
import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.codec.PacketEnd;
import io.escrow.codec.PacketUpgrade;
import io.escrow.daemon.events.FailureDetector;
import io.escrow.daemon.kernel.PeerIdentity;
import io.escrow.daemon.store.Store;
import io.escrow.daemon.store.StoreListener;
import io.escrow.daemon.store.StoredSlot;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.TimeUnit;

/**
 * The primary's end of a link: sends all slots to the follower, and then each change. What changes while the slots are
 * sent goes out in between, in order.
 *
 * <p>A follower that stays is <em>in step</em> when it has everything. Then what is done for a client is answered when the
 * follower has acknowledged it. Before such a follower is left behind, its {@link Mark} is revoked.
 *
 * <p>Used on the daemon's event loop, which its channel is on, too.
 */
public final class Primary implements StoreListener {

    private record Waiter(long frames, Runnable task) {}

    /** The bounds of packets on a link: the largest ones that a daemon can be configured for. */
    static final Limits LIMITS = new Limits(32, 1 << 24, (1 << 24) + (1 << 17), 128, 1024, 2, 1 << 16);

    private static final int HELLO_SECONDS = 10;
    /** How long a follower that stays may acknowledge nothing. */
    private static final int ANSWER_SECONDS = 5;

    private static final int PAGE = 64;
    private static final int PAGE_BYTES = 1024 * 1024;
    /** How many pages may be unacknowledged while slots are sent; bounds the descriptors in flight, and the memory. */
    private static final int WINDOW = 4;
    /** How far a follower may be behind; more than a page of the largest payloads. */
    private static final long MOST_BYTES_BEHIND = 128 * 1024 * 1024;

    private static final long MOST_FRAMES_BEHIND = 64 * 1024;

    private final EpollDomainSocketChannel channel;
    private final EventLoop loop;
    private final Store store;
    private final FailureDetector failures;
    private final PrimaryHost host;
    private final LinkHello own;
    private final PeerIdentity peer;
    private final int page;
    private final Queue<Integer> unacknowledged = new ArrayDeque<>();
    private long bytesBehind;
    private List<LinkFrame> unsent = new ArrayList<>();
    private LinkHello hello;
    private boolean copying;
    private boolean accepted;
    private boolean closed;
    private boolean left;
    /** What waits for the follower to acknowledge as many frames. */
    private final Queue<Waiter> waiters = new ArrayDeque<>();

    private Mark mark;
    private boolean told;
    private boolean inStep;
    private long syncedAt = Long.MAX_VALUE;
    private long acknowledgedBefore;
    private String reason = "the other escrowd has closed the link";
    private int tag;
    private int from;
    private long acknowledged;

    /**
     * Creates one end of a link. Called on the channel's event loop.
     *
     * @param loop the daemon's event loop, on which the channel is
     * @param own what this daemon says of itself
     * @param maxPayload the size of the largest payload of a slot
     */
    public Primary(
            EpollDomainSocketChannel channel,
            PacketUpgrade packets,
            EventLoop loop,
            Store store,
            FailureDetector failures,
            PrimaryHost host,
            LinkHello own,
            int maxPayload) {
        this.channel = channel;
        this.loop = loop;
        this.store = store;
        this.failures = failures;
        this.host = host;
        this.own = own;
        this.page = Math.max(1, Math.min(PAGE, PAGE_BYTES / Math.max(1, maxPayload)));
        this.peer = PeerIdentity.of(channel);
        packets.begin(LIMITS);
        channel.pipeline().addLast(new LinkCodec(), new Handler());
        loop.schedule(failures.guard(this::checkGreeted), HELLO_SECONDS, TimeUnit.SECONDS);
    }

    /** Returns the process at the other end. */
    public PeerIdentity peer() {
        return peer;
    }

    /** Returns the version of the other program; {@code null} before its greeting. */
    public String program() {
        return hello == null ? null : hello.program();
    }

    /** Returns whether the follower stays until this daemon ends. */
    public boolean stays() {
        return hello != null && hello.has(LinkHello.STAYS);
    }

    /** Returns whether the follower stays, and has everything. */
    public boolean isInStep() {
        return inStep;
    }

    /** Returns how many frames the follower has not acknowledged. */
    public int framesBehind() {
        return unacknowledged.size();
    }

    /** Returns how many bytes the follower has not acknowledged. */
    public long bytesBehind() {
        return bytesBehind;
    }

    /** Returns whether answers have to wait for the follower: from when everything was sent to it. */
    public boolean isHolding() {
        return told && (!closed || left);
    }

    /**
     * Runs a task when the follower has everything that was sent until now; at once, if it has. Tasks run in order. When the
     * follower is left behind, all run; when everything is {@linkplain #leave left} to it, none.
     */
    public void whenMirrored(Runnable task) {
        if (left) {
            return;
        }
        if (!isHolding() || (unacknowledged.isEmpty() && waiters.isEmpty())) {
            task.run();
        } else {
            waiters.add(new Waiter(acknowledged + unacknowledged.size(), task));
            flush();
        }
    }

    /** Leaves everything to the follower, which may serve when this process has ended. Nothing is answered any more. */
    public void leave() {
        store.listener(StoreListener.NONE);
        waiters.clear();
        left = true;
        closed = true;
        inStep = false;
        mark.dirty(); // What is read from now on is lost.
        mark.leave();
    }

    /** Notes that the next packet of the session may be read. */
    public void dirty() {
        if (mark != null) {
            mark.dirty();
        }
    }

    /** Notes that the session is at rest, which the follower must know if it is in step. */
    public void clean() {
        if (mark != null && inStep && unacknowledged.isEmpty()) {
            mark.clean();
        }
    }

    /** Asks the follower to take over. */
    public void askToTakeOver() {
        send(LinkFrame.of(LinkKind.YIELD));
        flush();
    }

    /** Sends the follower what was counted. */
    public void statistics(String json) {
        send(Fields.write().put(json).frame(LinkKind.STATISTICS));
    }

    /** Sends a listening socket to the follower; the first one of a list takes the place of those before. */
    public void listening(boolean first, Listening listening, FileDescriptor socket) {
        if (first) {
            send(LinkFrame.of(LinkKind.LISTENERS));
        }
        send(listening.frame(socket));
    }

    /** Sends the connection of a new session to the follower. */
    public void session(SessionState state, FileDescriptor connection) {
        send(new LinkFrame(LinkKind.SESSION, state.frame(LinkKind.SESSION).body(), false, connection));
    }

    /** Sends the follower what the session has been through meanwhile. */
    public void state(SessionState state) {
        send(state.frame(LinkKind.STATE));
    }

    /** Reports to the follower that there is no session. */
    public void noSession(long millis) {
        send(Fields.write().put(millis).frame(LinkKind.NO_SESSION));
    }

    /** Reports to the follower that it has everything, and that nothing will change any more. */
    public void commit(String statistics) {
        statistics(statistics);
        send(LinkFrame.of(LinkKind.COMMIT));
        flush();
    }

    /** Reports to the follower that the lock is free. */
    public void released() {
        send(LinkFrame.of(LinkKind.RELEASED));
        flush();
    }

    /** Closes the link, and tells the follower why. */
    public void fail(String text) {
        reason = text;
        LinkFrame frame = Fields.write().put(text).frame(LinkKind.FAILED);
        channel.writeAndFlush(frame).addListener(ChannelFutureListener.CLOSE);
        // Even if the follower does not read.
        loop.schedule(() -> channel.close(), ANSWER_SECONDS, TimeUnit.SECONDS);
    }

    /** Closes the link at once: the follower is not to serve any more. Tells it why, if it reads. */
    public void dismiss(String text) {
        fail(text);
        end();
    }

    @Override
    public void filled(int slotTag, int index, StoredSlot slot) {
        if (slot.keepFlags() && !hello.has(LinkHello.KEEPS_FLAGS)) {
            fail("the other escrowd can't keep the flags of open files, which slot " + slotTag + "/" + index
                    + " needs: it can't use io_uring");
            return;
        }
        send(SlotBody.filled(slotTag, index, slot));
    }

    @Override
    public void updated(int slotTag, int index, StoredSlot slot) {
        send(Fields.write()
                .put(slotTag)
                .put(index)
                .put(slot.payload())
                .put(slot.farewell())
                .frame(LinkKind.UPDATED));
    }

    @Override
    public void emptied(int slotTag, int index) {
        send(Fields.write().put(slotTag).put(index).frame(LinkKind.EMPTIED));
    }

    @Override
    public void cleared() {
        send(LinkFrame.of(LinkKind.CLEARED));
    }

    private void send(LinkFrame frame) {
        if (closed) {
            release(frame);
            return;
        }
        unacknowledged.add(frame.body().length);
        bytesBehind += frame.body().length;
        if (bytesBehind > MOST_BYTES_BEHIND || unacknowledged.size() > MOST_FRAMES_BEHIND) {
            release(frame);
            dismiss("the other escrowd does not keep up with the changes");
            return;
        }
        if (unsent.isEmpty()) {
            // At the end of this turn, with what else is sent in it.
            loop.execute(failures.guard(this::flush));
        }
        unsent.add(frame);
    }

    private void flush() {
        if (unsent.isEmpty()) {
            return;
        }
        List<LinkFrame> frames = unsent;
        unsent = new ArrayList<>();
        if (channel.isActive()) {
            frames.forEach(frame -> channel.write(frame, channel.voidPromise()));
            channel.flush();
        } else {
            frames.forEach(Primary::release);
        }
    }

    private static void release(LinkFrame frame) {
        ReferenceCountUtil.release(frame.descriptor());
    }

    private void received(LinkFrame frame) {
        release(frame); // A follower has no descriptors to send.
        if (closed) {
            return;
        }
        if (hello == null && frame.kind() != LinkKind.HELLO && frame.kind() != LinkKind.FAILED) {
            fail("the first frame is " + frame.kind() + " (expected: " + LinkKind.HELLO + ")");
            return;
        }
        switch (frame.kind()) {
            case HELLO -> greeted(LinkHello.of(frame));
            case ACK -> {
                acknowledge(Fields.read(frame).getLong());
                copy();
            }
            case TAKE, PREPARED, SERVING -> asked(frame.kind());
            case FAILED -> {
                reason = Fields.read(frame).getText();
                channel.close();
            }
            default -> fail("a frame of the primary came from the follower: " + frame.kind());
        }
    }

    private void asked(LinkKind what) {
        if (!accepted) {
            fail(what + " before the greeting"); // Or the link was refused meanwhile.
            return;
        }
        switch (what) {
            case TAKE -> host.take();
            case PREPARED -> host.prepared();
            default -> host.serving();
        }
    }

    private void acknowledge(long received) {
        while (acknowledged < received && !unacknowledged.isEmpty()) {
            bytesBehind -= unacknowledged.remove();
            acknowledged++;
        }
        if (stays()) {
            if (!inStep && acknowledged >= syncedAt) {
                inStep = true;
            }
            while (!waiters.isEmpty() && waiters.element().frames <= acknowledged) {
                waiters.remove().task.run();
            }
            if (unacknowledged.isEmpty()) {
                host.mirrored();
            }
        }
    }

    /** A follower that is stopped must not stop the clients, too. */
    private void checkAnswers() {
        if (closed) {
            return;
        }
        if (acknowledged == acknowledgedBefore && !unacknowledged.isEmpty()) {
            dismiss("the other escrowd has acknowledged nothing for " + ANSWER_SECONDS + " s");
            return;
        }
        acknowledgedBefore = acknowledged;
        loop.schedule(failures.guard(this::checkAnswers), ANSWER_SECONDS, TimeUnit.SECONDS);
    }

    private void checkGreeted() {
        if (hello == null && !closed) {
            reason = "no hello within " + HELLO_SECONDS + " s";
            channel.close();
        }
    }

    private void greeted(LinkHello theirs) {
        if (hello != null) {
            fail("greeted twice");
            return;
        }
        hello = theirs;
        try {
            own.check(theirs);
            host.greeted();
        } catch (EscrowException e) {
            fail(e.getMessage());
            return;
        }
        accepted = true;
        send(own.frame());
        acknowledged = -1; // The hello is not counted.
        if (stays()) {
            mark = new Mark();
            channel.closeFuture().addListener(f -> mark.close());
            send(new LinkFrame(LinkKind.MARK, Deposit.NO_BYTES, false, mark.end()));
            loop.schedule(failures.guard(this::checkAnswers), ANSWER_SECONDS, TimeUnit.SECONDS);
        }
        host.describe();
        store.listener(this);
        copying = true;
        copy();
    }

    private void copy() {
        while (copying && !closed && unacknowledged.size() < WINDOW * page) {
            int[] visited = {0, from};
            try {
                store.visit(tag, from, page, (index, slot) -> {
                    filled(tag, index, slot);
                    visited[0]++;
                    visited[1] = index;
                });
            } catch (EscrowException e) {
                throw new IllegalStateException("a page of slots that can't be visited", e);
            }
            boolean more = visited[0] == page && visited[1] < Integer.MAX_VALUE;
            from = more ? visited[1] + 1 : 0;
            tag = more ? tag : tag + 1;
            if (visited[0] > 0) {
                flush();
                Steps.reached("snapshot");
            }
            if (tag == store.tags()) {
                copying = false;
                send(LinkFrame.of(LinkKind.SYNCED));
                syncedAt = acknowledged + unacknowledged.size();
                told = stays();
                flush();
            }
        }
    }

    private void end() {
        if (closed) {
            return;
        }
        closed = true;
        inStep = false;
        unsent.forEach(Primary::release);
        unsent.clear();
        if (!accepted) {
            return;
        }
        store.listener(StoreListener.NONE);
        if (mark != null) {
            // Before anything is answered that the follower may not have.
            mark.revoke();
        }
        host.closed(reason);
        while (!waiters.isEmpty()) {
            waiters.remove().task.run();
        }
    }

    /** Passes on what comes to the daemon's event loop. */
    private final class Handler extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            if (msg instanceof LinkFrame frame) {
                failures.guard(() -> receivedSafely(frame)).run();
            } else if (msg != PacketEnd.INSTANCE) {
                ReferenceCountUtil.release(msg);
            }
        }

        private void receivedSafely(LinkFrame frame) {
            try {
                received(frame);
            } catch (IndexOutOfBoundsException e) {
                fail("fields are missing in a frame of kind " + frame.kind());
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            failures.guard(Primary.this::end).run();
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            failures.check(cause);
            reason = String.valueOf(cause.getMessage());
            ctx.close();
        }
    }
}
