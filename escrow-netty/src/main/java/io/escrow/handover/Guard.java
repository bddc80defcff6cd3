package io.escrow.handover;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPromise;
import io.netty.channel.unix.Socket;
import io.netty.channel.unix.UnixChannel;
import io.netty.util.AttributeKey;
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
        /** Not escrowed yet, or not adopted yet: nothing is read and nothing is sent. */
        HELD,
        /** As if this handler was not there. */
        SERVING,
        /** Taken apart: what still comes in is kept. */
        RESTING,
        /** Another process's. */
        GONE
    }

    static final String NAME = "escrow-guard";

    /** What TCP_NODELAY was when the connection was stored. */
    static final AttributeKey<Boolean> NO_DELAY = AttributeKey.valueOf(Guard.class, "noDelay");

    private final ServerHandover server;
    private final String listener;
    private final SavedChannel saved;
    private final Queue<Object> kept = new ArrayDeque<>();
    private final CompletableFuture<Void> settled = new CompletableFuture<>();
    private ChannelHandlerContext ctx;
    private Gate gate;
    private volatile State state = State.HELD;
    private boolean readWanted;
    private boolean flushWanted;
    private boolean autoRead;
    private Future<Void> restored;
    private volatile EscrowTable.Place place;

    /** Guards a connection; {@code saved} is {@code null} for a fresh one. */
    Guard(ServerHandover server, String listener, SavedChannel saved, EscrowTable.Place place) {
        this.server = server;
        this.listener = listener;
        this.saved = saved;
        this.place = place;
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

    /** Returns what the process before saved; {@code null} for a fresh connection. */
    SavedChannel saved() {
        return saved;
    }

    Gate gate() {
        return gate;
    }

    State state() {
        return state;
    }

    /** Returns what is done when an adopted connection is served, or has ended before. */
    CompletableFuture<Void> settled() {
        return settled;
    }

    /** Returns where this connection is in the escrow; {@code null} if it is not there. */
    EscrowTable.Place place() {
        return place;
    }

    void place(EscrowTable.Place place) {
        this.place = place;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        this.ctx = ctx;
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        gate = Gates.install(ctx);
        if (saved != null) {
            byte[] unsent = saved.sections().get(SavedChannel.UNSENT);
            if (unsent != null) {
                // Before anything that a handler may write.
                ctx.write(Unpooled.wrappedBuffer(unsent), ctx.voidPromise());
            }
        }
        server.opened(this);
        ctx.fireChannelActive();
    }

    /** Brings an adopted connection to where it was when it was saved. */
    Future<Void> restore() {
        if (restored == null) {
            restored = Assembler.restore(this);
        }
        return restored;
    }

    /** Lets an adopted connection go on from where it was. */
    void begin() {
        if (restored != null
                && restored.isSuccess()
                && state == State.HELD
                && channel().isActive()) {
            Assembler.feed(this);
            release();
        }
    }

    /** Lets a held connection go on: reads and sends what was asked for meanwhile. */
    void release() {
        state = State.SERVING;
        fireKept();
        if (flushWanted) {
            flushWanted = false;
            ctx.flush();
        }
        if (readWanted) {
            readWanted = false;
            ctx.read();
        }
    }

    /** Stops reading if nothing is half-way through; returns whether it did. */
    boolean tryToRest() {
        if (gate != null) {
            gate.shut();
        }
        if (state != State.SERVING || !Dismantler.isAtRest(this)) {
            return false;
        }
        state = State.RESTING;
        autoRead = channel().config().isAutoRead() || (gate != null && gate.hasPaused());
        channel().config().setAutoRead(false);
        ctx.flush();
        return true;
    }

    /** Goes on after a rest during which the channel stayed registered. */
    boolean goOn() {
        if (state == State.RESTING) {
            state = State.SERVING;
            openGate();
            fireKept();
            channel().config().setAutoRead(autoRead);
        }
        return true;
    }

    boolean openGate() {
        if (gate != null && state == State.SERVING) {
            gate.open(channel().pipeline().context(gate));
        }
        return true;
    }

    /** Goes on after a handover that failed; {@code saved} is {@code null} if the channel was not taken apart yet. */
    void comeBack(SavedChannel saved) {
        if (channel().isRegistered()) {
            goOn();
        } else if (channel().isOpen()) {
            channel().eventLoop().register(channel()).addListener(f -> {
                if (saved != null) {
                    state = State.SERVING;
                    Dismantler.undo(this, saved);
                    state = State.RESTING;
                }
                goOn();
                channel().flush();
            });
        }
    }

    /** Renews what the escrow knows about this connection. */
    CompletableFuture<Void> checkpoint() {
        return server.checkpoint(channel());
    }

    /** Gives the connection up without a word to its peer. */
    void letGo() {
        state = State.GONE;
        place = null;
        ctx.fireUserEventTriggered(HandoverEvent.HANDED_OVER);
        // Not through the pipeline, in which handlers would say goodbye.
        channel().unsafe().close(channel().voidPromise());
    }

    /** Fires what came in while the connection was held or at rest. */
    void fireKept() {
        if (!kept.isEmpty()) {
            for (Object msg = kept.poll(); msg != null; msg = kept.poll()) {
                ctx.fireChannelRead(msg);
            }
            ctx.fireChannelReadComplete();
        }
    }

    /** Returns a copy of the bytes that came in while the connection was at rest, and keeps them. */
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
        } else if (state == State.GONE) {
            ReferenceCountUtil.release(msg);
        } else {
            // A hang-up makes Netty read, whatever auto-read says.
            kept.add(msg);
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        if (state != State.GONE) {
            if (state == State.HELD && saved != null && restore().isSuccess()) {
                Assembler.feed(this);
            }
            state = State.SERVING;
            fireKept();
            server.closed(this);
            settled.complete(null);
        }
        ctx.fireChannelInactive();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
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
        if (state == State.HELD) {
            flushWanted = true;
        } else {
            ctx.flush();
        }
    }

    @Override
    public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
        if (place != null && state != State.GONE) {
            tellPeer();
        }
        ctx.close(promise);
    }

    /**
     * Makes the peer see the end at once: the escrow's duplicate would keep the connection open. Not with SO_LINGER 0,
     * which asks for a reset: that goes out when the slot is freed.
     */
    private void tellPeer() {
        Integer linger = ctx.channel().config().getOption(ChannelOption.SO_LINGER);
        if (linger == null || linger != 0) {
            try {
                ((Socket) ((UnixChannel) ctx.channel()).fd()).shutdown(true, true);
            } catch (IOException e) {
                // Then the peer has gone already.
                server.logger().debug("shutting down {} failed", ctx.channel(), e);
            }
        }
    }
}
