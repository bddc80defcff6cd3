package io.escrow.daemon.follow;

import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.OwnedDescriptor;
import io.escrow.codec.PacketEnd;
import io.escrow.codec.PacketUpgrade;
import io.escrow.daemon.config.StandbyOptions;
import io.escrow.daemon.events.FailureDetector;
import io.escrow.daemon.kernel.PeerIdentity;
import io.escrow.daemon.store.Store;
import io.escrow.daemon.store.StoreListener;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.ReferenceCountUtil;
import java.util.concurrent.TimeUnit;

/**
 * The primary's end of a link: sends all slots to the follower, and then each change. What changes while the slots are
 * sent goes out in between, in order.
 *
 * <p>From when everything is sent to a {@linkplain StayingFollower follower that stays}, what is done for a client is answered when
 * it is written to the follower's socket: what is there outlives this process. The follower carries it out before it serves,
 * or it does not serve at all.
 *
 * <p>Used on the daemon's event loop, which its channel is on, too.
 */
public final class Primary {

    /** The bounds of packets on a link: the largest ones that a daemon can be configured for. */
    static final Limits LIMITS = new Limits(32, 1 << 24, (1 << 24) + (1 << 17), 128, 1024, 2, 1 << 16);

    private static final int HELLO_SECONDS = 10;
    /** How long a follower may leave the reason unread for which it is refused. */
    private static final int REASON_SECONDS = 5;

    private final EpollDomainSocketChannel channel;
    private final EventLoop loop;
    private final Store store;
    private final FailureDetector failures;
    private final PrimaryHost host;
    private final PacketUpgrade packets;
    private final LinkHello own;
    private final PeerIdentity peer;
    private final PrimaryLimits limits;
    private final FrameQueue queue;
    private final Progress progress;
    private LinkHello hello;
    private SlotCopy copy;
    private boolean accepted;
    private boolean closed;
    private StayingFollower staying;
    private boolean synced;
    private String reason = "the other escrowd has closed the link";

    /**
     * Creates one end of a link. Called on the channel's event loop.
     *
     * @param loop the daemon's event loop, on which the channel is
     * @param own what this daemon says of itself
     * @param limits what this daemon may come to hold
     * @param standby say how long a follower that stays may acknowledge nothing, and how far it may be behind
     */
    public Primary(
            EpollDomainSocketChannel channel,
            PacketUpgrade packets,
            EventLoop loop,
            Store store,
            FailureDetector failures,
            PrimaryHost host,
            LinkHello own,
            PrimaryLimits limits,
            StandbyOptions standby) {
        this.channel = channel;
        this.packets = packets;
        this.loop = loop;
        this.store = store;
        this.failures = failures;
        this.host = host;
        this.own = own;
        this.limits = limits;
        long behind = Math.max(standby.behind(), FrameQueue.leastBehind(limits.session()));
        this.queue = new FrameQueue(channel, failures, behind, FrameQueue.mostDescriptors(), host::mirrored);
        this.progress = new Progress(queue, loop, failures, standby.timeout(), this::dismiss);
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

    /** Returns the follower, if it stays until this daemon ends; else {@code null}. Set before the host is told of it. */
    public StayingFollower staying() {
        return staying;
    }

    /** Returns whether the follower stays, and has everything. */
    public boolean isInStep() {
        return staying != null && staying.isInStep();
    }

    /** Returns how many frames the follower has not acknowledged. */
    public int framesBehind() {
        return queue.framesBehind();
    }

    /** Returns how many bytes the follower has not acknowledged. */
    public long bytesBehind() {
        return queue.bytesBehind();
    }

    /** Leaves everything to the follower, which may serve when this process has ended. Nothing is answered any more. */
    public void leave() {
        store.listener(StoreListener.NONE);
        closed = true;
        progress.end();
        staying.leave();
    }

    /** Asks the follower to take over. */
    public void askToTakeOver() {
        send(LinkFrame.of(LinkKind.YIELD));
        queue.flush();
    }

    /** Sends the follower what was counted. */
    public void statistics(String json) {
        send(LinkFrame.of(LinkKind.STATISTICS, Fields.write().put(json)));
    }

    /** Sends a listening socket to the follower; the first one of a list takes the place of those before. */
    public void listening(boolean first, Listening listening, FileDescriptor socket) {
        if (first) {
            send(LinkFrame.of(LinkKind.LISTENERS));
        }
        send(listening.frame(socket));
    }

    /**
     * Sends the connection of a new session to the follower. A follower that can't go on with it is told that there is
     * none: the client connects again.
     *
     * @return whether it can go on with it
     */
    public boolean session(SessionState state, FileDescriptor connection) {
        if (!canGoOn(state)) {
            noSession(0);
            return false;
        }
        send(new LinkFrame(LinkKind.SESSION, state.frame(LinkKind.SESSION).body(), false, connection));
        return true;
    }

    /** Sends the follower what the session has been through meanwhile. */
    public void state(SessionState state) {
        if (canGoOn(state)) {
            send(state.frame(LinkKind.STATE));
        } else {
            noSession(0);
        }
    }

    private boolean canGoOn(SessionState state) {
        return !state.batches() || hello.has(LinkHello.BATCHES);
    }

    /** Reports to the follower that there is no session. */
    public void noSession(long millis) {
        send(LinkFrame.of(LinkKind.NO_SESSION, Fields.write().put(millis)));
    }

    /**
     * Reports to the follower that it has everything, and that nothing will change any more.
     *
     * @param written run when that is certain to reach the follower, even if this process is killed
     */
    public void commit(String statistics, Runnable written) {
        statistics(statistics);
        send(LinkFrame.of(LinkKind.COMMIT));
        queue.whenWritten(written);
    }

    /** Reports to the follower that the lock is free. */
    public void released() {
        send(LinkFrame.of(LinkKind.RELEASED));
        queue.flush();
    }

    /** Closes the link, and tells the follower why. */
    public void fail(String text) {
        reason = text;
        LinkFrame frame = LinkFrame.of(LinkKind.FAILED, Fields.write().put(text));
        channel.writeAndFlush(frame).addListener(ChannelFutureListener.CLOSE);
        // Even if the follower does not read.
        loop.schedule(() -> channel.close(), REASON_SECONDS, TimeUnit.SECONDS);
    }

    /** Closes the link at once: the follower is not to serve any more. Tells it why, if it reads. */
    public void dismiss(String text) {
        fail(text);
        end();
    }

    private void send(LinkFrame frame) {
        queue.send(frame);
        if (!closed && queue.isTooFarBehind()) {
            dismiss("the other escrowd does not keep up with the changes");
        }
    }

    private void received(LinkFrame frame) {
        FrameQueue.release(frame); // A follower has no descriptors to send.
        if (closed) {
            return;
        }
        if (hello == null && frame.kind() != LinkKind.HELLO && frame.kind() != LinkKind.FAILED) {
            fail("the first frame is " + frame.kind() + " (expected: " + LinkKind.HELLO + ")");
            return;
        }
        switch (frame.kind()) {
            case HELLO -> greeted(LinkHello.of(frame));
            case ACK -> acknowledged(frame.body().getLong());
            case TAKE, PREPARED, SERVING -> asked(frame.kind());
            case FAILED -> {
                reason = frame.body().getText();
                channel.close();
            }
            default -> fail("a frame of the primary came from the follower: " + frame.kind());
        }
    }

    private void acknowledged(long frames) {
        queue.acknowledged(frames);
        if (staying != null) {
            staying.acknowledged(frames);
        }
        host.mirrored();
        copy();
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
        staying = theirs.has(LinkHello.STAYS) ? new StayingFollower(queue) : null;
        if (staying != null) {
            channel.closeFuture().addListener(f -> staying.close());
        }
        try {
            own.check(theirs);
            host.greeted();
        } catch (EscrowException e) {
            fail(e.getMessage());
            return;
        }
        accepted = true;
        hello();
        if (staying != null) {
            send(limits.frame());
            send(staying.markFrame());
            progress.begin();
        }
        host.describe();
        StoreListener changes = new SlotChanges(
                theirs.has(LinkHello.KEEPS_FLAGS), this::send, staying == null ? this::fail : this::dismiss);
        store.listener(changes);
        copy = new SlotCopy(store, queue, changes, limits.session().payload());
        copy();
    }

    /** Sends the hello in a packet of its own: the other side reads what comes next as both have agreed. It is not counted. */
    private void hello() {
        boolean batches =
                own.has(LinkHello.LINK_BATCHES) && hello.has(LinkHello.LINK_BATCHES) && packets.canUseBatches();
        LinkHello told = batches ? own : own.without(LinkHello.LINK_BATCHES);
        channel.writeAndFlush(told.frame(), channel.voidPromise());
        if (batches) {
            // A slot's descriptor either does not block, or must be received as it is. Of others nothing is known.
            packets.sendBatches(OwnedDescriptor.class::isInstance);
        }
    }

    private void copy() {
        if (accepted && !synced && !closed && copy.goOn() && !closed) {
            synced = true;
            send(LinkFrame.of(LinkKind.SYNCED));
            if (staying != null) {
                staying.synced();
            }
            queue.flush();
        }
    }

    private void end() {
        if (closed) {
            return;
        }
        closed = true;
        progress.end();
        queue.close();
        if (!accepted) {
            return;
        }
        store.listener(StoreListener.NONE);
        if (staying != null) {
            staying.revoke();
        }
        host.closed(reason);
        queue.runWaiters();
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
