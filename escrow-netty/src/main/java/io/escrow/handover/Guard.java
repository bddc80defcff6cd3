package io.escrow.handover;

import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelSlot;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.ChannelInputShutdownReadComplete;
import io.netty.util.concurrent.Future;
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
    private final Hold hold = new Hold();
    private final CompletableFuture<Void> held = new CompletableFuture<>();
    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private ChannelHandlerContext ctx;
    private Gate gate;
    /** What the process before saved, or this one; {@code null} while there is nothing to be restored. */
    private ChannelRecord saved;

    private volatile State state = State.SERVING;
    private boolean autoRead;
    private long restedMillis;
    private Future<Void> restored;
    private volatile ChannelSlot slot;

    /** Guards a fresh connection. */
    Guard(ServerHandover server, String listener, ChannelSlot slot) {
        this(server, listener, slot, null);
    }

    /** Guards a connection that is adopted. */
    Guard(ServerHandover server, String listener, ChannelSlot slot, ChannelRecord saved) {
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

    /** Returns what the peer is to be told if nobody claims this connection, which is at rest. */
    byte[] farewell() {
        return server.farewell(this);
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
    ChannelSlot slot() {
        return slot;
    }

    void slot(ChannelSlot slot) {
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
            HeldReads.install(ctx.channel(), hold);
            hold(State.HELD);
            byte[] unsent = saved.get(ChannelRecord.UNSENT);
            if (unsent != null) {
                // Before anything that a handler may write.
                ctx.write(Unpooled.wrappedBuffer(unsent));
                hold.flush();
            }
        }
        ctx.fireChannelActive();
        held.complete(null);
    }

    private void hold(State next) {
        state = next;
        hold.begin(channel());
    }

    private void release() {
        state = State.SERVING;
        hold.end(ctx);
        if (hold.closeWanted() != null) {
            close(ctx, hold.closeWanted());
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
            ChannelRecord before = saved;
            saved = null;
            Assembler.feed(this, before);
            whenRegistered(() -> {
                if (state == State.HELD) {
                    release();
                }
            });
        }
    }

    /** Ends an adopted connection that is not to go on, or can't. */
    void refuse() {
        saved = null;
        hold.discard();
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
                restedMillis = System.currentTimeMillis();
                autoRead = channel().config().isAutoRead() || (gate != null && gate.hasPaused());
                channel().config().setAutoRead(false);
            }
        }
        return state == State.RESTING;
    }

    /** Returns when the connection came to rest, in milliseconds since 1970. */
    long restedMillis() {
        return restedMillis;
    }

    /** Takes a connection that is at rest and off its event loop apart; returns {@code null} if it has ended. */
    ChannelRecord takeApart() {
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
        whenRegistered(() -> {
            goOn();
            done.complete(null);
        });
        return done;
    }

    /** Does something when the channel is registered with its loop, and with epoll. */
    private void whenRegistered(Runnable next) {
        if (!channel().isOpen()) {
            tellHandlersOfTheEnd();
            next.run();
        } else if (!channel().isRegistered()) {
            channel().eventLoop().register(channel()).addListener(f -> next.run());
        } else if (hold.hasLeftEpoll()) {
            channel().deregister().addListener(f -> whenRegistered(next));
        } else {
            next.run();
        }
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
            hold.flush();
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
        ChannelPromise closeWanted = hold.closeWanted();
        if (closeWanted != null) {
            // It was to be closed, so the next process must not go on with it.
            Ending.shutDown(channel());
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

    /** Copies the bytes that came in while the connection was held, and keeps them. */
    void copyKept(ByteBuf out) {
        hold.copyKept(out);
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (state == State.SERVING) {
            ctx.fireChannelRead(msg);
        } else {
            hold.keep(msg);
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
            hold.peerHungUp();
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
                hold.fireKept(ctx);
                held.complete(null);
                server.closed(this).thenAccept(ended::complete);
            }
        }
        ctx.fireChannelInactive();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        hold.discard();
    }

    @Override
    public void read(ChannelHandlerContext ctx) {
        if (state == State.SERVING) {
            ctx.read();
        } else {
            hold.read();
        }
    }

    @Override
    public void flush(ChannelHandlerContext ctx) {
        if (state == State.SERVING || state == State.RESTING) {
            ctx.flush();
        } else {
            hold.flush();
        }
    }

    @Override
    public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
        if (state == State.APART) {
            // The descriptor is on its way to the escrow.
            hold.close(promise);
        } else {
            if (state != State.GONE && slot.mayBeFilled()) {
                Ending.beforeClose(ctx.channel());
            }
            ctx.close(promise);
        }
    }
}
