package io.escrow.handover.protocol;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.DecoderException;

/**
 * Lets whole messages through to a decoder, as a {@link MessageFraming} finds them. A protocol with more to say extends this
 * class, to save state for instance.
 *
 * <p>A message that was begun, and is longer than {@link #MAX_KEPT}, is finished before the connection moves; a shorter one
 * moves with the connection. What the handlers answer is not watched: they count it by {@link PendingWork} if they answer
 * later. A decoder with an executor of its own is not moved.
 */
public class FramedConnection implements ProtocolConnection {

    private static final String NAME = "escrow-framed";

    private final String protocol;
    private final ChannelHandlerContext decoder;
    private final MessageFraming framing;

    /** The length of the part that is kept until it is complete; 0 if it is not known. */
    private long waiting;

    /** The number of bytes still to come of a part that is too long to be kept. */
    private long missing;

    private boolean inMessage;
    private String whyUnknown;

    /**
     * Frames the input of a decoder. Adds a handler behind it, which notices when the decoder fails.
     *
     * @param context the connection
     * @param protocol the name of the protocol, for reports
     * @param decoder a handler of the connection's pipeline
     * @param framing a new framing
     */
    @SuppressWarnings("this-escape") // the handler is called later, on this thread
    public FramedConnection(ProtocolContext context, String protocol, ChannelHandler decoder, MessageFraming framing) {
        this.protocol = protocol;
        this.decoder = context.pipeline().context(decoder);
        this.framing = framing;
        if (this.decoder.executor() == this.decoder.channel().eventLoop()) {
            context.pipeline().addAfter(this.decoder.name(), NAME, new FailureDetector());
        } else {
            whyUnknown = protocol + " with a decoder on an executor of its own";
        }
    }

    /**
     * Returns the decoder in its pipeline.
     *
     * @return the decoder's context
     */
    protected final ChannelHandlerContext decoder() {
        return decoder;
    }

    @Override
    public final ChannelHandler firstHandler() {
        return decoder.handler();
    }

    @Override
    public final int next(ByteBuf in, boolean mayBegin) {
        int start = in.readerIndex();
        try {
            while (in.isReadable() && whyUnknown == null && (inMessage || missing > 0 || mayBegin)) {
                if (missing == 0 && !nextPart(in)) {
                    break;
                }
                int passing = (int) Math.min(missing, in.readableBytes());
                in.skipBytes(passing);
                missing -= passing;
                inMessage = missing > 0 || framing.isInMessage();
            }
            return whyUnknown == null ? in.readerIndex() - start : in.writerIndex() - start;
        } finally {
            in.readerIndex(start);
        }
    }

    /** Looks for the next part; returns whether its bytes may pass. */
    private boolean nextPart(ByteBuf in) {
        if (waiting == 0) {
            int start = in.readerIndex();
            waiting = framing.next(in);
            in.readerIndex(start);
        }
        if (waiting < 0 || (waiting == 0 && in.readableBytes() > MAX_KEPT)) {
            whyUnknown = protocol + " with a malformed message";
            return false;
        }
        if (waiting == 0 || (waiting > in.readableBytes() && waiting <= MAX_KEPT)) {
            return false;
        }
        missing = waiting;
        waiting = 0;
        return true;
    }

    @Override
    public boolean feeds(ChannelHandler handler) {
        return handler == decoder.handler();
    }

    /**
     * {@inheritDoc}
     *
     * @implSpec gives a reason when the framing or the decoder has found something malformed
     */
    @Override
    public String whyImmovable() {
        return whyUnknown;
    }

    /**
     * {@inheritDoc}
     *
     * @implSpec returns whether no message is in the decoder in part
     */
    @Override
    public boolean isAtRest() {
        return !inMessage && missing == 0;
    }

    /** Stands behind the decoder. */
    private final class FailureDetector extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            if (framing.isFailure(msg)) {
                fail();
            }
            ctx.fireChannelRead(msg);
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            if (cause instanceof DecoderException) {
                fail();
            }
            ctx.fireExceptionCaught(cause);
        }

        private void fail() {
            whyUnknown = protocol + " with a malformed message";
        }
    }
}
