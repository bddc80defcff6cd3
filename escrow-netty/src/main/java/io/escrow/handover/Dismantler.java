package io.escrow.handover;

import io.escrow.handover.store.ChannelRecord;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandler;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.ByteToMessageCodec;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.util.ReferenceCountUtil;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Takes a connection apart without its peer or its handlers noticing, so that it can be put together elsewhere, or go on
 * here. Called on the channel's event loop.
 */
final class Dismantler {

    private static final String INSIDE_A_MESSAGE = "a decoder that keeps state inside a message";

    /**
     * Handlers of Netty with state that can't be moved, by class name: their modules need not be there. One that extends
     * them and is {@link Movable} speaks for itself.
     */
    private static final Map<String, String> IMMOVABLE = Map.ofEntries(
            Map.entry("io.netty.handler.ssl.SslHandler", "TLS"),
            Map.entry("io.netty.handler.ssl.AbstractSniHandler", "TLS"),
            Map.entry("io.netty.handler.ssl.SslClientHelloHandler", "TLS"),
            Map.entry("io.netty.handler.codec.http2.Http2ConnectionHandler", "HTTP/2"),
            Map.entry("io.netty.handler.codec.http2.Http2FrameCodec", "HTTP/2"),
            Map.entry("io.netty.handler.codec.spdy.SpdyFrameCodec", "SPDY"),
            Map.entry(
                    "io.netty.handler.codec.http.websocketx.extensions.WebSocketExtensionDecoder",
                    "WebSocket with compression"),
            Map.entry("io.netty.handler.codec.compression.ZlibDecoder", "compression"),
            Map.entry("io.netty.handler.codec.compression.ZlibEncoder", "compression"),
            Map.entry("io.netty.handler.codec.ReplayingDecoder", INSIDE_A_MESSAGE),
            Map.entry("io.netty.handler.codec.json.JsonObjectDecoder", INSIDE_A_MESSAGE),
            Map.entry("io.netty.handler.codec.memcache.AbstractMemcacheObjectDecoder", INSIDE_A_MESSAGE),
            Map.entry("io.netty.handler.codec.redis.RedisDecoder", INSIDE_A_MESSAGE),
            Map.entry("io.netty.handler.codec.xml.XmlDecoder", INSIDE_A_MESSAGE),
            Map.entry("io.netty.handler.traffic.AbstractTrafficShapingHandler", "traffic shaping"));

    private static final byte[] NOTHING = {};

    private Dismantler() {}

    /** Says why a connection can't be moved at all; {@code null} if it can. */
    static String whyImmovable(Guard guard) {
        for (Map.Entry<String, ChannelHandler> e : guard.channel().pipeline()) {
            String reason = whyImmovable(guard.channel().pipeline().context(e.getKey()));
            if (reason != null) {
                return reason;
            }
        }
        return guard.gate() == null ? null : guard.gate().whyImmovable();
    }

    /** Says why the connection of a handler can't be moved because of this handler; {@code null} if it can. */
    static String whyImmovable(ChannelHandlerContext ctx) {
        if (ctx.handler() instanceof Movable movable) {
            return movable.whyImmovable(ctx);
        }
        for (Class<?> c = ctx.handler().getClass(); c != null; c = c.getSuperclass()) {
            String reason = IMMOVABLE.get(c.getName());
            if (reason != null) {
                return reason;
            }
        }
        return null;
    }

    /** Tells whether nothing is half-read or half-processed. */
    static boolean isAtRest(Guard guard) {
        if (guard.gate() != null && !guard.gate().isAtRest()) {
            return false;
        }
        if (!onlyBytesWait(guard.channel())) {
            return false;
        }
        for (Map.Entry<String, ChannelHandler> e : guard.channel().pipeline()) {
            if (e.getValue() instanceof Movable movable
                    && !movable.isAtRest(guard.channel().pipeline().context(e.getKey()))) {
                return false;
            }
        }
        return true;
    }

    /** Returns what the handlers want to have after a crash. */
    static ChannelRecord checkpoint(Guard guard) {
        ChannelRecord.Builder record = ChannelRecord.builder(guard.listener(), false);
        saveHandlers(guard, record);
        return record.build();
    }

    /**
     * Takes out all bytes and state of a connection whose channel is deregistered. The collected bytes of decoders are
     * out of them afterwards: {@link #feedDecoders} puts them back.
     *
     * @throws IllegalStateException if something other than bytes waits to be written
     */
    static ChannelRecord takeApart(Guard guard) {
        ChannelRecord.Builder record = ChannelRecord.builder(guard.listener(), true);
        record.put(
                ChannelRecord.RESTED,
                ByteBuffer.allocate(Long.BYTES).putLong(guard.restedMillis()).array());
        record.put(ChannelRecord.UNSENT, unsent(guard.channel()));
        if (guard.channel() instanceof DuplexChannel duplex && duplex.isOutputShutdown()) {
            record.mark(ChannelRecord.OUTPUT_SHUT);
        }
        saveHandlers(guard, record);
        for (Map.Entry<String, ChannelHandler> e : guard.channel().pipeline()) {
            if (isDecoder(e.getValue())
                    && (guard.gate() == null || !guard.gate().feeds(e.getValue()))) {
                record.put(ChannelRecord.COLLECTED + e.getKey(), collected(guard.channel(), e.getKey()));
            }
        }
        ByteBuf held = Unpooled.buffer(0);
        if (guard.gate() != null) {
            held.writeBytes(guard.gate().held());
        }
        guard.copyKept(held);
        record.put(ChannelRecord.GATE, ByteBufUtil.getBytes(held));
        // In the middle of what the peer is being told, and behind the end of it, there is nothing to be said.
        boolean mayBeTold = !record.has(ChannelRecord.UNSENT) && !record.has(ChannelRecord.OUTPUT_SHUT);
        return record.farewell(mayBeTold ? guard.farewell() : NOTHING).build();
    }

    /** Feeds each decoder the bytes that the decoder of the same name had collected. */
    static void feedDecoders(Channel channel, ChannelRecord saved) {
        saved.withPrefix(ChannelRecord.COLLECTED).forEach((decoder, bytes) -> {
            ChannelHandlerContext ctx = channel.pipeline().context(decoder);
            if (ctx == null) {
                throw new IllegalStateException("bytes were collected by " + decoder + ", and there is none");
            }
            try {
                ((ChannelInboundHandler) ctx.handler()).channelRead(ctx, Unpooled.copiedBuffer(bytes));
                ctx.fireChannelReadComplete();
            } catch (Exception e) {
                ctx.fireExceptionCaught(e);
            }
        });
    }

    static boolean isDecoder(ChannelHandler handler) {
        return handler instanceof ByteToMessageDecoder || handler instanceof ByteToMessageCodec;
    }

    private static void saveHandlers(Guard guard, ChannelRecord.Builder record) {
        if (guard.gate() != null) {
            record.put(ChannelRecord.PROTOCOL + "http", guard.gate().upgrade());
        }
        for (Map.Entry<String, ChannelHandler> e : guard.channel().pipeline()) {
            if (e.getValue() instanceof Movable movable) {
                ByteBuf out = Unpooled.buffer();
                movable.save(guard.channel().pipeline().context(e.getKey()), out);
                record.putHandler(movable.section(), ByteBufUtil.getBytes(out), false);
            }
        }
    }

    /** Tells whether nothing but bytes waits to be written: files, for instance, can't be copied. */
    private static boolean onlyBytesWait(Channel channel) {
        boolean[] onlyBytes = {true};
        forEachUnsent(channel, msg -> onlyBytes[0] &= msg instanceof ByteBuf);
        return onlyBytes[0];
    }

    private static byte[] unsent(Channel channel) {
        ByteBuf copy = Unpooled.buffer(0);
        forEachUnsent(channel, msg -> {
            if (!(msg instanceof ByteBuf bytes)) {
                throw new IllegalStateException("a " + msg.getClass().getSimpleName() + " waits to be written");
            }
            copy.writeBytes(bytes, bytes.readerIndex(), bytes.readableBytes());
        });
        return ByteBufUtil.getBytes(copy);
    }

    private static void forEachUnsent(Channel channel, Consumer<Object> action) {
        ChannelOutboundBuffer outbound = channel.unsafe().outboundBuffer();
        if (outbound == null || outbound.totalPendingWriteBytes() == 0) {
            return;
        }
        outbound.addFlush();
        try {
            outbound.forEachFlushedMessage(msg -> {
                action.accept(msg);
                return true;
            });
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException("what waits to be written can't be read", e);
        }
    }

    /**
     * Makes a decoder give up what it has collected, as it does when it is removed from a pipeline; but it stays there,
     * because it could not be put back.
     */
    private static byte[] collected(Channel channel, String name) {
        Catcher catcher = new Catcher();
        channel.pipeline().addAfter(name, null, catcher);
        try {
            ChannelHandlerContext ctx = channel.pipeline().context(name);
            ctx.handler().handlerRemoved(ctx);
        } catch (Exception e) {
            throw new IllegalStateException("handler " + name + " did not give up its bytes", e);
        } finally {
            channel.pipeline().remove(catcher);
        }
        return ByteBufUtil.getBytes(catcher.caught);
    }

    private static final class Catcher extends ChannelInboundHandlerAdapter {
        private final ByteBuf caught = Unpooled.buffer(0);

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            if (msg instanceof ByteBuf bytes) {
                caught.writeBytes(bytes, bytes.readerIndex(), bytes.readableBytes());
            }
            ReferenceCountUtil.release(msg);
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext ctx) {
            // The decoder says so after its last bytes; nobody else has read anything.
        }
    }
}
