package io.escrow.handover.framing;

import io.escrow.handover.protocol.FramedConnection;
import io.escrow.handover.protocol.ProtocolContext;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.memcache.AbstractMemcacheObjectEncoder;
import io.netty.handler.codec.memcache.LastMemcacheContent;
import io.netty.handler.codec.memcache.MemcacheMessage;

/** Waits for the end of a response that is written in parts: the encoder remembers that it has begun. */
final class MemcacheConnection extends FramedConnection {

    private boolean inResponse;

    MemcacheConnection(ProtocolContext context, String protocol, ChannelHandler decoder) {
        super(context, protocol, decoder, new MemcacheFraming());
        ChannelPipeline pipeline = context.pipeline();
        ChannelHandlerContext encoder = pipeline.context(AbstractMemcacheObjectEncoder.class);
        boolean encoderLast = encoder != null
                && pipeline.names().indexOf(encoder.name())
                        > pipeline.names().indexOf(decoder().name());
        pipeline.addAfter(encoderLast ? encoder.name() : decoder().name(), "escrow-responses", new Responses());
    }

    @Override
    public boolean feeds(ChannelHandler handler) {
        return super.feeds(handler) || handler instanceof AbstractMemcacheObjectEncoder;
    }

    @Override
    public boolean isAtRest() {
        return super.isAtRest() && !inResponse;
    }

    private final class Responses extends ChannelOutboundHandlerAdapter {
        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            if (msg instanceof LastMemcacheContent) {
                inResponse = false;
            } else if (msg instanceof MemcacheMessage) {
                inResponse = true;
            }
            ctx.write(msg, promise);
        }
    }
}
