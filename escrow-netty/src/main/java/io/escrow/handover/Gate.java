package io.escrow.handover;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.util.concurrent.Future;

/**
 * Stands before decoders that keep state in the middle of a message, and lets only whole messages through, so that at
 * rest nothing of a message is inside them.
 */
abstract class Gate extends ChannelDuplexHandler {

    /** Says why this connection can't be moved at all; {@code null} if it can. */
    abstract String whyImmovable();

    /** Lets the messages under way be finished, and begins no new one, until {@link #open}. */
    abstract void shut();

    /** Goes on as usual. */
    abstract void open(ChannelHandlerContext ctx);

    /** Tells whether it has turned auto-read off, because it holds as much as it may while it is shut. */
    abstract boolean hasPaused();

    /** Tells whether no message is half-way through. */
    abstract boolean isAtRest();

    /** Tells whether a decoder gets its bytes from this gate only, so that at rest there are none in it. */
    abstract boolean feeds(ChannelHandler decoder);

    /** Returns a copy of the bytes that were not let through yet. */
    abstract byte[] held();

    /** Returns what {@link #rebuild} needs; empty if the pipeline is as it was made. */
    abstract byte[] upgrade();

    /** Returns how its protocol says, at rest, that the server is gone for now and the peer may come again. */
    abstract byte[] farewell();

    /**
     * Brings the fresh pipeline of an adopted connection to where it was, without a word to the peer.
     *
     * @return a future that fails when the pipeline has not become what it was
     */
    abstract Future<Void> rebuild(ChannelHandlerContext ctx, ByteBuf upgrade);
}
