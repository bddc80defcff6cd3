package io.escrow.handover;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPromise;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.ChannelInputShutdownReadComplete;
import io.netty.channel.unix.Socket;
import io.netty.channel.unix.UnixChannel;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;

/**
 * Stands at the head of a connection's pipeline, holds it still while it changes hands, and tells the server when it
 * comes and goes. Lives on the channel's event loop.
 */
final class Guard extends ChannelDuplexHandler {

    enum State {
        /** Not adopted yet: nothing is read and nothing is sent. */
        HELD,
        /** As if this handler was not there. */
        SERVING,
        /** Nothing is read, but what others have to say to the peer is sent. */
        RESTING,
        /** Taken apart: nothing is read and nothing is sent. */
        APART,
        /** Another process's. */
        GONE
    }

    static final String NAME = "escrow-guard";

    private final ServerHandover server;
    private final String listener;
    private final boolean adopted;
    private final Queue<Object> kept = new ArrayDeque<>();
    private final CompletableFuture<Void> held = new CompletableFuture<>();
    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private ChannelHandlerContext ctx;
    private Gate gate;
    /** What the process before saved, or this one; {@code null} while there is nothing to be restored. */
    private SavedChannel saved;

    private volatile State state = State.SERVING;
    private boolean readWanted;
    private boolean flushWanted;
    private ChannelPromise closeWanted;
    private boolean autoRead;
    private Future<Void> restored;
    private boolean halfClosure;
    private boolean peerHungUp;
    private volatile Slot slot;

    /** Guards a fresh connection. */
    Guard(ServerHandover server, String listener, Slot slot) {
        this(server, listener, slot, null);
    }

    /** Guards a connection that is adopted. */
    Guard(ServerHandover server, String listener, Slot slot, SavedChannel saved) {
        this.server = server;
        this.listener = listener;
        this.slot = slot;
        this.saved = saved;
        this.adopted = saved != null;
    }

    Channel channel() {
        return ctx.channel();
    }

    ChannelHandlerContext context() {
        return ctx;
    }

    String listener() {
        return listener;
    }

    boolean isAdopted() {
        return adopted;
    }

    Gate gate() {
        return gate;
    }

    State state() {
        return state;
    }

    /** Returns what is done when an adopted connection is held, or has ended. */
    CompletableFuture<Void> held() {
        return held;
    }

    /** Returns what is done when the connection has ended, and its slot is free. */
    CompletableFuture<Void> ended() {
        return ended;
    }

    /** Returns this connection's slot in the escrow. */
    Slot slot() {
        return slot;
    }

    void slot(Slot slot) {
        this.slot = slot;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        this.ctx = ctx;
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        gate = Gates.install(ctx);
        server.opened(this);
        if (adopted) {
            hold(State.HELD);
            byte[] unsent = saved.sections().get(SavedChannel.UNSENT);
            if (unsent != null) {
                // Before anything that a handler may write.
                ctx.write(Unpooled.wrappedBuffer(unsent));
                flushWanted = true;
            }
        }
        ctx.fireChannelActive();
        held.complete(null);
    }

    /** Reads nothing more. A peer that hangs up does not end the connection: what it sent before is not answered yet. */
    private void hold(State next) {
        state = next;
        halfClosure = Boolean.TRUE.equals(channel().config().getOption(ChannelOption.ALLOW_HALF_CLOSURE));
        channel().config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, true);
    }

    /** Does what was asked for while the connection was held. */
    private void release() {
        state = State.SERVING;
        channel().config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, halfClosure);
        fireKept();
        if (flushWanted) {
            flushWanted = false;
            ctx.flush();
        }
        if (readWanted && !peerHungUp && channel().isActive()) {
            ctx.read();
        }
        readWanted = false;
        if (peerHungUp) {
            peerHungUp = false;
            if (halfClosure) {
                ctx.fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
                ctx.fireUserEventTriggered(ChannelInputShutdownReadComplete.INSTANCE);
            } else {
                channel().unsafe().close(channel().voidPromise());
            }
        }
        if (closeWanted != null) {
            close(ctx, closeWanted);
        }
    }

    /** Brings an adopted connection to where it was when it was saved; its bytes are not processed yet. */
    Future<Void> restore() {
        if (restored == null) {
            restored = Assembler.restore(this, saved);
        }
        return restored;
    }

    /** Lets a restored connection go on from where it was. */
    void begin() {
        if (state == State.HELD && saved != null && restored != null && restored.isSuccess()) {
            SavedChannel before = saved;
            saved = null;
            Assembler.feed(this, before);
            release();
        }
    }

    /** Ends an adopted connection that is not to go on, or can't. */
    void refuse() {
        saved = null;
        releaseKept();
        state = State.SERVING;
        channel().close();
    }

    /** Stops reading if nothing is half-way through; returns whether it did. */
    boolean tryToRest() {
        if (gate != null) {
            gate.shut();
        }
        if (state == State.SERVING) {
            ctx.flush();
            if (Dismantler.isAtRest(this)) {
                hold(State.RESTING);
                autoRead = channel().config().isAutoRead() || (gate != null && gate.hasPaused());
                channel().config().setAutoRead(false);
            }
        }
        return state == State.RESTING;
    }

    /** Takes a connection that is at rest and off its event loop apart; returns {@code null} if it has ended. */
    SavedChannel takeApart() {
        if (!channel().isOpen()) {
            tellHandlersOfTheEnd();
        }
        if (state != State.RESTING || !channel().isActive()) {
            return null;
        }
        state = State.APART;
        saved = Dismantler.takeApart(this);
        return saved;
    }

    /** Serves again as if nothing had been asked. */
    CompletableFuture<Void> comeBack() {
        CompletableFuture<Void> done = new CompletableFuture<>();
        if (!channel().isOpen()) {
            tellHandlersOfTheEnd();
            done.complete(null);
        } else if (channel().isRegistered()) {
            goOn();
            done.complete(null);
        } else {
            channel().eventLoop().register(channel()).addListener(f -> {
                goOn();
                done.complete(null);
            });
        }
        return done;
    }

    /** Goes on after a rest. */
    void goOn() {
        if (state == State.RESTING || state == State.APART) {
            if (saved != null) {
                state = State.SERVING;
                Dismantler.feedDecoders(channel(), saved);
                saved = null;
            }
            // Off its loop, the channel did not learn when there was room again.
            flushWanted = true;
            release();
            // Somebody may have set it since.
            channel().config().setAutoRead(autoRead || channel().config().isAutoRead());
        }
        if (gate != null && state == State.SERVING) {
            gate.open(channel().pipeline().context(gate));
        }
    }

    /** Renews what the escrow knows about this connection. */
    CompletableFuture<Void> checkpoint() {
        return server.checkpoint(channel());
    }

    /** Gives the connection up without a word to its peer. */
    void letGo() {
        state = State.GONE;
        saved = null;
        ctx.fireUserEventTriggered(HandoverEvent.HANDED_OVER);
        if (closeWanted != null) {
            // It was to be closed, so the next process must not go on with it.
            tellPeer();
        }
        // Not through the pipeline, in which handlers would say goodbye.
        channel().unsafe().close(closeWanted == null ? channel().voidPromise() : closeWanted);
        tellHandlersOfTheEnd();
    }

    /** Says what Netty does not say when a channel is closed that was deregistered before. */
    private void tellHandlersOfTheEnd() {
        if (!channel().isRegistered() && !ctx.isRemoved()) {
            channel().pipeline().fireChannelInactive();
            channel().pipeline().fireChannelUnregistered();
        }
    }

    /** Fires what came in while the connection was held. */
    private void fireKept() {
        if (!kept.isEmpty()) {
            for (Object msg = kept.poll(); msg != null; msg = kept.poll()) {
                ctx.fireChannelRead(msg);
            }
            ctx.fireChannelReadComplete();
        }
    }

    /** Returns a copy of the bytes that came in while the connection was held, and keeps them. */
    void copyKept(ByteBuf out) {
        for (Object msg : kept) {
            if (msg instanceof ByteBuf bytes) {
                out.writeBytes(bytes, bytes.readerIndex(), bytes.readableBytes());
            }
        }
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (state == State.SERVING) {
            ctx.fireChannelRead(msg);
        } else {
            // A hang-up makes Netty read, whatever auto-read says.
            kept.add(msg);
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        if (state == State.SERVING) {
            ctx.fireChannelReadComplete();
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (state == State.SERVING || state == State.GONE) {
            ctx.fireUserEventTriggered(event);
        } else if (event == ChannelInputShutdownEvent.INSTANCE) {
            peerHungUp = true;
        } else if (event != ChannelInputShutdownReadComplete.INSTANCE) {
            ctx.fireUserEventTriggered(event);
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        if (state != State.GONE) {
            try {
                if (state == State.HELD && saved != null) {
                    restore();
                    begin();
                }
            } finally {
                state = State.SERVING;
                fireKept();
                held.complete(null);
                server.closed(this).thenAccept(ended::complete);
            }
        }
        ctx.fireChannelInactive();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        releaseKept();
    }

    private void releaseKept() {
        kept.forEach(ReferenceCountUtil::release);
        kept.clear();
    }

    @Override
    public void read(ChannelHandlerContext ctx) {
        if (state == State.SERVING) {
            ctx.read();
        } else {
            readWanted = true;
        }
    }

    @Override
    public void flush(ChannelHandlerContext ctx) {
        if (state == State.SERVING || state == State.RESTING) {
            ctx.flush();
        } else {
            flushWanted = true;
        }
    }

    @Override
    public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
        if (state == State.APART) {
            // The descriptor is on its way to the escrow.
            closeWanted = promise;
        } else {
            // With SO_LINGER 0 a reset is asked for: that goes out when the slot is freed.
            Integer linger = ctx.channel().config().getOption(ChannelOption.SO_LINGER);
            if (state != State.GONE && slot.mayBeFilled() && (linger == null || linger != 0)) {
                tellPeer();
            }
            ctx.close(promise);
        }
    }

    /** Makes the peer see the end at once, although the escrow has a duplicate of the connection. */
    private void tellPeer() {
        try {
            ((Socket) ((UnixChannel) ctx.channel()).fd()).shutdown(true, true);
        } catch (IOException e) {
            // Then the peer has gone already.
            server.logger().debug("shutting down {} failed", ctx.channel(), e);
        }
    }
}
