package io.escrow.handover;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandler;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.handler.codec.ByteToMessageCodec;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.util.ReferenceCountUtil;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Takes a connection apart without its peer or its handlers noticing, so that it can be put together elsewhere, or go on
 * here. Called on the channel's event loop.
 */
final class Dismantler {

    /** Handlers of Netty with state that can't be moved, by class name: their modules need not be there. */
    private static final Map<String, String> IMMOVABLE = Map.of(
            "io.netty.handler.ssl.SslHandler", "TLS",
            "io.netty.handler.ssl.AbstractSniHandler", "TLS",
            "io.netty.handler.ssl.SslClientHelloHandler", "TLS",
            "io.netty.handler.codec.http2.Http2ConnectionHandler", "HTTP/2",
            "io.netty.handler.codec.http2.Http2FrameCodec", "HTTP/2",
            "io.netty.handler.codec.http.websocketx.extensions.WebSocketExtensionDecoder", "WebSocket with compression",
            "io.netty.handler.codec.compression.ZlibDecoder", "compression",
            "io.netty.handler.codec.compression.ZlibEncoder", "compression");

    private Dismantler() {}

    /** Says why a connection can't be moved at all; {@code null} if it can. */
    static String whyImmovable(Guard guard) {
        for (Map.Entry<String, ChannelHandler> e : guard.channel().pipeline()) {
            ChannelHandler handler = e.getValue();
            for (Class<?> c = handler.getClass(); c != null; c = c.getSuperclass()) {
                String reason = IMMOVABLE.get(c.getName());
                if (reason != null) {
                    return reason;
                }
            }
            if (handler instanceof Movable movable) {
                String reason = movable.whyImmovable(guard.channel().pipeline().context(handler));
                if (reason != null) {
                    return reason;
                }
            }
        }
        return guard.gate() == null ? null : guard.gate().whyImmovable();
    }

    /** Tells whether nothing is half-read or half-processed. */
    static boolean isAtRest(Guard guard) {
        if (guard.gate() != null && !guard.gate().isAtRest()) {
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
    static SavedChannel checkpoint(Guard guard) {
        Map<String, byte[]> sections = new LinkedHashMap<>();
        saveHandlers(guard, sections);
        return new SavedChannel(guard.listener(), false, sections);
    }

    /**
     * Takes out all bytes and state of a connection whose channel is deregistered. The collected bytes of decoders are
     * out of them afterwards: {@link #undo} puts them back.
     *
     * @throws IllegalStateException if something other than bytes waits to be written
     */
    static SavedChannel takeApart(Guard guard) {
        Map<String, byte[]> sections = new LinkedHashMap<>();
        put(sections, SavedChannel.UNSENT, unsent(guard.channel()));
        saveHandlers(guard, sections);
        for (Map.Entry<String, ChannelHandler> e : guard.channel().pipeline()) {
            if (isDecoder(e.getValue())
                    && (guard.gate() == null || !guard.gate().feeds(e.getValue()))) {
                put(sections, SavedChannel.COLLECTED + e.getKey(), collected(guard.channel(), e.getKey()));
            }
        }
        ByteBuf held = Unpooled.buffer();
        if (guard.gate() != null) {
            held.writeBytes(guard.gate().held());
        }
        guard.copyKept(held);
        put(sections, SavedChannel.GATE, ByteBufUtil.getBytes(held));
        return new SavedChannel(guard.listener(), true, sections);
    }

    /** Gives decoders the bytes back that {@link #takeApart} took out of them. */
    static void undo(Guard guard, SavedChannel saved) {
        feedDecoders(guard.channel(), saved);
    }

    /** Feeds each decoder the bytes that the decoder of the same name had collected. */
    static void feedDecoders(Channel channel, SavedChannel saved) {
        saved.sections().forEach((name, bytes) -> {
            if (name.startsWith(SavedChannel.COLLECTED)) {
                ChannelHandlerContext ctx = channel.pipeline().context(name.substring(SavedChannel.COLLECTED.length()));
                try {
                    ((ChannelInboundHandler) ctx.handler()).channelRead(ctx, Unpooled.copiedBuffer(bytes));
                    ctx.fireChannelReadComplete();
                } catch (Exception e) {
                    ctx.fireExceptionCaught(e);
                }
            }
        });
    }

    static boolean isDecoder(ChannelHandler handler) {
        return handler instanceof ByteToMessageDecoder || handler instanceof ByteToMessageCodec;
    }

    private static void saveHandlers(Guard guard, Map<String, byte[]> sections) {
        if (guard.gate() != null) {
            put(sections, SavedChannel.UPGRADE, guard.gate().upgrade());
        }
        for (Map.Entry<String, ChannelHandler> e : guard.channel().pipeline()) {
            if (e.getValue() instanceof Movable movable) {
                ByteBuf out = Unpooled.buffer();
                movable.save(guard.channel().pipeline().context(e.getKey()), out);
                put(sections, SavedChannel.HANDLER + movable.section(), ByteBufUtil.getBytes(out));
            }
        }
    }

    private static void put(Map<String, byte[]> sections, String name, byte[] bytes) {
        if (bytes.length > 0) {
            sections.put(name, bytes);
        }
    }

    private static byte[] unsent(Channel channel) {
        ChannelOutboundBuffer outbound = channel.unsafe().outboundBuffer();
        ByteBuf copy = Unpooled.buffer();
        if (outbound != null) {
            outbound.addFlush();
            try {
                outbound.forEachFlushedMessage(msg -> {
                    if (!(msg instanceof ByteBuf bytes)) {
                        throw new IllegalStateException("a " + msg.getClass().getSimpleName() + " waits to be written");
                    }
                    copy.writeBytes(bytes, bytes.readerIndex(), bytes.readableBytes());
                    return true;
                });
            } catch (IllegalStateException e) {
                throw e;
            } catch (Exception e) {
                throw new IllegalStateException("what waits to be written can't be copied", e);
            }
        }
        return ByteBufUtil.getBytes(copy);
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
        private final ByteBuf caught = Unpooled.buffer();

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
