package io.escrow.handover.connection;

import io.escrow.Deposit;
import io.escrow.handover.protocol.FramedConnection;
import io.escrow.handover.protocol.HandoverEvent;
import io.escrow.handover.protocol.ProtocolConnection;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.util.ReferenceCountUtil;
import java.util.concurrent.CompletableFuture;

/**
 * Stands before decoders that keep state in the middle of a message, and lets through only what their protocol says is
 * whole, so that at rest nothing of a message is inside them. Lives on the channel's event loop.
 */
public final class MessageGate extends ChannelInboundHandlerAdapter {

    private static final String NAME = "escrow-gate";

    private final String protocol;
    private ProtocolConnection connection;
    private ChannelHandlerContext ctx;
    private ByteBuf buffer;
    private boolean shut;
    private boolean paused;
    private boolean received;
    private boolean passed;
    private boolean readOwed;
    private boolean restoring;

    private MessageGate(String protocol, ProtocolConnection connection) {
        this.protocol = protocol;
        this.connection = connection;
    }

    /**
     * Puts a gate before the first handler of a protocol.
     *
     * @param protocol the name of the protocol
     */
    static MessageGate install(ChannelPipeline pipeline, String protocol, ProtocolConnection connection) {
        MessageGate gate = new MessageGate(protocol, connection);
        pipeline.addBefore(pipeline.context(connection.firstHandler()).name(), NAME, gate);
        return gate;
    }

    /** Returns the name of the protocol that the connection speaks, or has begun with. */
    String protocol() {
        return protocol;
    }

    /** Returns the connection as its protocol knows it now. */
    private ProtocolConnection connection() {
        ProtocolConnection current = connection.current();
        if (current != connection) {
            connection = current;
        }
        return current;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        this.ctx = ctx;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (msg instanceof ByteBuf bytes) {
            received = true;
            if (buffer == null && !restoring) {
                receive(bytes);
            } else {
                keep(bytes);
                pump();
            }
            if (shut && isFull() && ctx.channel().config().isAutoRead()) {
                paused = true;
                ctx.channel().config().setAutoRead(false);
            }
        } else {
            passed = true;
            ctx.fireChannelRead(msg);
        }
    }

    private void keep(ByteBuf bytes) {
        buffer = buffer == null ? bytes : ByteToMessageDecoder.MERGE_CUMULATOR.cumulate(ctx.alloc(), buffer, bytes);
    }

    /**
     * Lets through what may go through of the first bytes behind those that did. Mostly that is all: then no reference is stored in
     * this object, which is older than the bytes, so that no collector has to be told of it.
     */
    private void receive(ByteBuf bytes) {
        ProtocolConnection asked;
        int length;
        try {
            asked = connection();
            length = asked.next(bytes, !shut);
        } catch (Throwable e) {
            // A protocol that fails must not lose what it was shown.
            buffer = bytes;
            throw e;
        }
        if (length > 0 && length == bytes.readableBytes()) {
            passed = true;
            ctx.fireChannelRead(bytes);
        } else {
            buffer = bytes;
            if (length == 0) {
                return;
            }
            pass(length);
        }
        asked.passed();
        pump();
    }

    private boolean isFull() {
        return buffer != null && buffer.readableBytes() > ProtocolConnection.MAX_KEPT;
    }

    /** Lets through what may go through. */
    private void pump() {
        while (buffer != null && !restoring) {
            ProtocolConnection asked = connection();
            int length = asked.next(buffer, !shut);
            if (length == 0) {
                return;
            }
            pass(length);
            asked.passed();
        }
    }

    private void pass(int length) {
        passed = true;
        ByteBuf bytes = buffer;
        if (length == bytes.readableBytes()) {
            buffer = null;
        } else {
            bytes = bytes.readRetainedSlice(length);
        }
        ctx.fireChannelRead(bytes);
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        // A reader that asks for each read waits for a message, and nothing behind this handler knows of the bytes.
        readOwed = !passed && (readOwed || received) && !ctx.channel().config().isAutoRead();
        received = false;
        passed = false;
        ctx.fireChannelReadComplete();
        if (readOwed && mayReadOn()) {
            readOwed = false;
            ctx.read();
        }
    }

    /** Returns whether to read until there is a message: while it is shut, only one that has begun is finished. */
    private boolean mayReadOn() {
        return !shut || (!isFull() && !isAtRest());
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event == HandoverEvent.HANDED_OVER) {
            release();
        } else if (event == HandoverEvent.DRAINING) {
            open();
        }
        ctx.fireUserEventTriggered(event);
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        if (restoring) {
            release();
        }
        shut = false;
        pump();
        if (buffer != null) {
            // The decoder may have a word to say about half a message.
            pass(buffer.readableBytes());
        }
        ctx.fireChannelInactive();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext ctx) {
        release();
    }

    private void release() {
        ReferenceCountUtil.release(buffer);
        buffer = null;
    }

    /** Returns why this connection can't be moved at all; {@code null} if it can. */
    public String whyImmovable() {
        return connection().whyImmovable();
    }

    /** Returns why this connection can't go on after a crash; {@code null} if it can, unless it is immovable. */
    String whyLostInCrash() {
        return connection().whyLostInCrash();
    }

    /** Lets the messages under way be finished, and begins no new one, until {@link #open}. */
    public void shut() {
        shut = true;
    }

    /** Goes on as usual. */
    public void open() {
        if (!shut) {
            return;
        }
        shut = false;
        if (buffer != null) {
            pump();
            channelReadComplete(ctx);
        }
        if (paused) {
            paused = false;
            ctx.channel().config().setAutoRead(true);
        }
    }

    /** Returns whether no message is half-way through. */
    public boolean isAtRest() {
        return connection().isAtRest();
    }

    /** Returns whether bytes have come in that were not let through yet. */
    boolean isHolding() {
        return buffer != null;
    }

    /**
     * Returns whether what a process has read, and lost, must not go unnoticed by the peer. Of a framed protocol a lost message
     * is repeated, if that matters, on the same connection.
     */
    boolean marksReads() {
        return !(connection() instanceof FramedConnection);
    }

    /** Returns whether a decoder gets its bytes from this gate only, so that at rest there are none in it. */
    public boolean feeds(ChannelHandler decoder) {
        return connection().feeds(decoder);
    }

    /** Returns a copy of the bytes that were not let through yet. */
    public byte[] held() {
        return buffer == null ? Deposit.NO_BYTES : ByteBufUtil.getBytes(buffer);
    }

    /** Returns what {@link #restore} needs; empty if the pipeline is as it was made. */
    public byte[] save() {
        ByteBuf out = Unpooled.buffer(0);
        connection().save(out);
        return ByteBufUtil.getBytes(out);
    }

    /** Returns how the protocol says, at rest, that the server is gone for now and the peer may come again. */
    public byte[] farewell() {
        return connection().farewell();
    }

    /** Lets the protocol announce the end of the server to the peer, see {@link ProtocolConnection#end}. */
    public CompletableFuture<Void> end() {
        return connection().end();
    }

    /** Closes the channel without the handlers of the protocol. */
    void close() {
        ctx.close();
    }

    /**
     * Brings the fresh pipeline of an adopted connection to where it was, without a word to the peer.
     *
     * @return a future that fails when the pipeline has not become what it was; then no byte is let through any more
     */
    public CompletableFuture<Void> restore(byte[] saved) {
        restoring = true;
        return connection().restore(Unpooled.wrappedBuffer(saved)).thenRun(() -> {
            restoring = false;
            pump();
        });
    }
}
