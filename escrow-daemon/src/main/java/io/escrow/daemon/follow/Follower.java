package io.escrow.daemon.follow;

import io.escrow.EscrowException;
import io.escrow.OwnedDescriptor;
import io.escrow.Status;
import io.escrow.codec.PacketEnd;
import io.escrow.codec.PacketUpgrade;
import io.escrow.daemon.store.Store;
import io.escrow.internal.Futures;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * The follower's end of a link: fills the own store with what the primary has, and keeps its sockets. Used on the daemon's
 * event loop, which the link is on; the futures may be used by any thread.
 */
public final class Follower extends ChannelInboundHandlerAdapter implements AutoCloseable {

    /**
     * A socket of the primary.
     *
     * @param listening what it is
     * @param descriptor its descriptor; this object owns it
     */
    public record Socket(Listening listening, OwnedDescriptor descriptor) {}

    private LinkHello own;
    private PacketUpgrade packets;
    private final PrimaryCheck check;
    private final Runnable endOfPacket;
    private final MirroredSlots slots;
    private final Acknowledgements acknowledgements;
    private final CompletableFuture<Void> synced = new CompletableFuture<>();
    private final CompletableFuture<Void> committed = new CompletableFuture<>();
    private final CompletableFuture<Void> released = new CompletableFuture<>();
    private final CompletableFuture<Void> asked = new CompletableFuture<>();
    private final CompletableFuture<Void> closed = new CompletableFuture<>();
    private final List<Socket> sockets = new ArrayList<>();
    private final FollowedSession session = new FollowedSession();
    private ChannelHandlerContext link;
    private LinkHello hello;
    private OwnedDescriptor mark;
    private Mark.State marked = Mark.State.CLEAN;
    private volatile boolean failed;
    private volatile boolean lockReleased;
    private String statistics;
    private String reason = "the other escrowd has closed the link";

    /**
     * Creates the end of a link that is not connected.
     *
     * @param store the store to fill
     * @param own what this daemon says of itself
     * @param check refuses what can't go on here
     * @param endOfPacket run behind each packet
     */
    public Follower(Store store, LinkHello own, PrimaryCheck check, Runnable endOfPacket) {
        this.own = own;
        this.check = check;
        this.endOfPacket = endOfPacket;
        this.slots = new MirroredSlots(store);
        this.acknowledgements = new Acknowledgements(this::isInStep, store);
    }

    /** Sets what the packets of the link come through. Without it, each descriptor comes in a message of its own. */
    void packets(PacketUpgrade through) {
        packets = through;
    }

    /** Completed when everything that the primary had at the beginning is here; fails when the link ends before. */
    public CompletableFuture<Void> synced() {
        return synced;
    }

    /** Completed when the primary has stopped, and everything is here; fails when the link ends before. */
    public CompletableFuture<Void> committed() {
        return committed;
    }

    /** Completed when the primary has released the lock, or has ended. */
    public CompletableFuture<Void> released() {
        return released;
    }

    /** Returns whether the primary has said that the lock is free. */
    public boolean isReleased() {
        return lockReleased;
    }

    /** Completed when the primary wants this process to take over, because it ends. */
    public CompletableFuture<Void> asked() {
        return asked;
    }

    /** Returns whether this process has everything, as long as the primary has not gone on without it. */
    public boolean isInStep() {
        return synced.isDone() && !synced.isCompletedExceptionally() && !failed;
    }

    /**
     * Returns whether the primary's session can go on here. Called when the link has ended; the answer counts when the primary
     * has ended, too.
     *
     * @throws EscrowException if this process must not serve what it has, because the primary went on without it
     */
    public boolean goesOn() throws EscrowException {
        try {
            Mark.State now = Mark.read(mark);
            marked = now.compareTo(marked) > 0 ? now : marked;
        } catch (IOException e) {
            throw new EscrowException(Status.EIO, "the state of the other escrowd can't be read: " + e, e);
        }
        if (failed || marked == Mark.State.REVOKED) {
            throw refused();
        }
        return marked == Mark.State.CLEAN;
    }

    /**
     * Checks that the primary has not said that it goes on alone.
     *
     * @throws EscrowException if it has
     */
    public void checkNotRefused() throws EscrowException {
        if (failed) {
            throw refused();
        }
    }

    private EscrowException refused() {
        return new EscrowException(Status.ECONNRESET, "the escrowd that serves goes on alone: " + reason);
    }

    /** Completed when the link has ended. */
    public CompletableFuture<Void> closed() {
        return closed;
    }

    /** Returns the version of the primary's program. */
    public String program() {
        return hello.program();
    }

    /** Returns why the link has ended. */
    public String reason() {
        return reason;
    }

    /** Returns the primary's sockets. */
    public List<Socket> sockets() {
        return List.copyOf(sockets);
    }

    /** Returns what is known of the session. */
    public FollowedSession session() {
        return session;
    }

    /** Returns the primary's counters, as JSON; {@code null} if it has not told them. */
    public String statistics() {
        return statistics;
    }

    /** Reports to the primary that this process wants to serve. Called by any thread, as are the next methods. */
    public void take() {
        tell(LinkFrame.of(LinkKind.TAKE));
    }

    /** Reports to the primary that this process could serve. */
    public void prepared() {
        tell(LinkFrame.of(LinkKind.PREPARED));
    }

    /** Reports to the primary that this process serves. When this method returns, the primary will know, if it still lives. */
    public void serving() {
        tell(LinkFrame.of(LinkKind.SERVING));
    }

    /** Reports to the primary why this process does not follow any more. */
    public void fail(String text) {
        if (link != null) {
            tell(LinkFrame.of(LinkKind.FAILED, Fields.write().put(text)));
        }
    }

    private void tell(LinkFrame frame) {
        link.channel().writeAndFlush(frame).awaitUninterruptibly();
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        link = ctx;
        // When the primary has ended, what it has sent before is still read.
        ctx.channel().config().setAutoClose(false);
        if (packets == null || !own.has(LinkHello.LINK_BATCHES) || !packets.canUseBatches()) {
            own = own.without(LinkHello.LINK_BATCHES);
        }
        ctx.writeAndFlush(own.frame(), ctx.voidPromise());
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) throws EscrowException {
        if (msg == PacketEnd.INSTANCE) {
            acknowledgements.endPacket(ctx);
            endOfPacket.run();
        } else if (msg instanceof LinkFrame frame) {
            boolean kept = false;
            try {
                kept = receive(frame);
            } catch (IndexOutOfBoundsException | IllegalArgumentException e) {
                throw new EscrowException(
                        Status.EPROTO, "a frame of kind " + frame.kind() + " with wrong fields: " + e.getMessage(), e);
            } finally {
                if (!kept) {
                    ReferenceCountUtil.release(frame.descriptor());
                }
            }
        } else {
            ReferenceCountUtil.release(msg);
        }
    }

    /** Returns whether the descriptor of the frame, if there is one, is kept. */
    private boolean receive(LinkFrame frame) throws EscrowException {
        if (hello == null && frame.kind() != LinkKind.HELLO && frame.kind() != LinkKind.FAILED) {
            throw new EscrowException(Status.EPROTO, "the first frame is " + frame.kind());
        }
        if (frame.kind() != LinkKind.HELLO) {
            acknowledgements.count(frame);
        }
        Fields in = frame.body();
        switch (frame.kind()) {
            case HELLO -> {
                hello = LinkHello.of(frame);
                own.check(hello);
                if (own.has(LinkHello.LINK_BATCHES) && hello.has(LinkHello.LINK_BATCHES)) {
                    packets.receiveBatches();
                }
            }
            case LISTENERS -> dropSockets();
            case LISTENER -> {
                sockets.add(new Socket(Listening.of(frame), (OwnedDescriptor) frame.descriptor()));
                return true;
            }
            case SLOT -> {
                slots.fill(frame);
                return true;
            }
            case EMPTIED -> slots.empty(in);
            case UPDATED -> slots.update(in);
            case CLEARED -> slots.clear();
            case LIMITS -> check.primary(PrimaryLimits.of(in));
            case SESSION -> {
                SessionState begun = SessionState.of(frame);
                check.session(begun);
                session.begun(begun, (OwnedDescriptor) frame.descriptor());
                return true;
            }
            case STATE -> session.changed(SessionState.of(frame));
            case NO_SESSION -> session.ended(in.getLong());
            case STATISTICS -> statistics = in.getText();
            case SYNCED -> {
                Steps.reached("synced");
                synced.complete(null);
            }
            case COMMIT -> {
                if (session.isLost()) {
                    throw new EscrowException(Status.ECONNRESET, "the client has gone while its session was moved");
                }
                Steps.reached("committed");
                committed.complete(null);
            }
            case RELEASED -> {
                lockReleased = true;
                released.complete(null);
            }
            case MARK -> {
                mark = (OwnedDescriptor) frame.descriptor();
                return true;
            }
            case YIELD -> asked.complete(null);
            case FAILED -> {
                failed = true;
                reason = in.getText();
                link.close();
            }
            default ->
                throw new EscrowException(
                        Status.EPROTO, "a frame of a follower came from the primary: " + frame.kind());
        }
        return false;
    }

    private void dropSockets() {
        sockets.forEach(socket -> socket.descriptor().release());
        sockets.clear();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        ended();
    }

    private void ended() {
        EscrowException lost = new EscrowException(Status.ECONNRESET, reason);
        synced.completeExceptionally(lost);
        committed.completeExceptionally(lost);
        released.complete(null);
        asked.completeExceptionally(lost);
        closed.complete(null);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        Throwable failure = Futures.unwrap(cause);
        reason = failure instanceof EscrowException e ? e.getMessage() : failure.toString();
        if (failure instanceof IOException && !(failure instanceof EscrowException)) {
            return; // The end of the primary. What it has sent before is still read.
        }
        failed = true;
        ctx.writeAndFlush(LinkFrame.of(LinkKind.FAILED, Fields.write().put(reason)))
                .addListener(f -> ctx.close());
    }

    /** Closes the link, and what is held for sockets that are not taken. Called on the event loop. */
    @Override
    public void close() {
        if (link != null) {
            link.close();
        }
        session.drop();
        dropSockets();
        ReferenceCountUtil.release(mark);
        mark = null;
    }

    /** Forgets the sockets: others own their descriptors now. */
    public void socketsTaken() {
        sockets.clear();
    }
}
