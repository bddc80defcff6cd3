package io.escrow.handover.connection;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.protocol.Movable;
import io.escrow.testing.NettyLine;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.ReplayingDecoder;
import io.netty.handler.codec.haproxy.HAProxyMessageDecoder;
import io.netty.handler.codec.http.HttpRequestDecoder;
import io.netty.handler.codec.http.HttpResponseEncoder;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.json.JsonObjectDecoder;
import io.netty.handler.codec.memcache.binary.BinaryMemcacheServerCodec;
import io.netty.handler.codec.rtsp.RtspDecoder;
import io.netty.handler.flow.FlowControlHandler;
import io.netty.handler.stream.ChunkedWriteHandler;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class ImmovableHandlersTest {

    /** Netty 4.1 has no such handlers. */
    private static final Set<String> ONLY_IN_4_2 = Set.of(
            "io.netty.handler.codec.http3.Http3ConnectionHandler",
            "io.netty.handler.codec.http3.Http3PushStreamClientInitializer",
            "io.netty.handler.codec.http3.Http3PushStreamServerInitializer",
            "io.netty.handler.codec.http3.Http3RequestStreamInboundHandler",
            "io.netty.handler.codec.http3.Http3RequestStreamInitializer",
            "io.netty.handler.codec.quic.QuicCodecDispatcher",
            "io.netty.handler.codec.socksx.v5.Socks5PrivateAuthRequestDecoder",
            "io.netty.handler.codec.socksx.v5.Socks5PrivateAuthResponseDecoder");

    @Test
    void decoderThatKeepsStateInsideAMessageStays() {
        assertEquals("a decoder that keeps state inside a message", whyImmovable(new Replaying()));
        assertEquals("a decoder that keeps state inside a message", whyImmovable(new JsonObjectDecoder()));
    }

    @Test
    void decoderThatIsMovableSpeaksForItself() {
        assertNull(whyImmovable(new MovableReplaying()));
    }

    @Test
    void decoderThatOnlyCollectsBytesIsMoved() {
        assertNull(whyImmovable(new LengthFieldBasedFrameDecoder(100, 0, 4)));
    }

    private static final ImmovableHandlers DEFAULT = ImmovableHandlers.DEFAULT;

    @Test
    void handlersThatKeepMessagesBackStay() {
        assertEquals("a handler that keeps messages back", whyImmovable(new FlowControlHandler()));
    }

    @Test
    void reasonAppliesToSubclasses() {
        ImmovableHandlers list = DEFAULT.with(Framing.class, "a reason");
        assertEquals("a reason", whyImmovable(list, new Framing()));
        assertEquals("a reason", whyImmovable(list, new SpecialFraming()));
        assertNull(whyImmovable(list, new LengthFieldBasedFrameDecoder(100, 0, 4)));
        assertNull(whyImmovable(DEFAULT, new Framing()), "a list does not change");
    }

    @Test
    void nearestClassCounts() {
        ImmovableHandlers list = DEFAULT.with(Framing.class, "far").with(SpecialFraming.class, "near");
        assertEquals("far", whyImmovable(list, new Framing()));
        assertEquals("near", whyImmovable(list, new SpecialFraming()));
        assertNull(
                whyImmovable(DEFAULT.with(Framing.class, "far").without(SpecialFraming.class), new SpecialFraming()));
        assertEquals(
                "near",
                whyImmovable(DEFAULT.without(Framing.class).with(SpecialFraming.class, "near"), new SpecialFraming()));
    }

    @Test
    void userVouchesForHandlersOfNettyAndTheirSubclasses() {
        assertNull(whyImmovable(DEFAULT.without(ChunkedWriteHandler.class), new ChunkedWriteHandler()));
        assertNull(whyImmovable(DEFAULT.without(Replaying.class), new Replaying()));
        assertNull(whyImmovable(DEFAULT.without(Replaying.class), new MovableReplaying()));
        assertNull(whyImmovable(DEFAULT.without(ReplayingDecoder.class), new Replaying()));
        assertEquals(
                "a decoder that keeps state inside a message",
                whyImmovable(DEFAULT.without(MovableReplaying.class), new Replaying()));
    }

    @Test
    void codecOfAProtocolMovesOnlyWhenTheProtocolFeedsIt() {
        String unframed = "a codec that keeps state inside a message, of no protocol that is known";
        assertEquals(unframed, whyImmovable(new HttpServerCodec()));
        assertEquals(unframed, whyImmovable(new HttpRequestDecoder()));
        assertEquals(unframed, whyImmovable(new HttpResponseEncoder()));
        assertEquals(unframed, whyImmovable(new RtspDecoder()));
        assertEquals(unframed, whyImmovable(new BinaryMemcacheServerCodec()));
        for (ChannelHandler[] codec :
                new ChannelHandler[][] {{new HttpServerCodec()}, {new HttpRequestDecoder(), new HttpResponseEncoder()}
                }) {
            EmbeddedChannel channel = new EmbeddedChannel(codec);
            MessageGate gate = Gates.install(channel);
            assertNull(saver(channel, gate).whyImmovable(DEFAULT));
            assertEquals(
                    "ours (" + codec[0].getClass().getSimpleName() + ")",
                    saver(channel, gate).whyImmovable(DEFAULT.with(codec[0].getClass(), "ours")));
            assertFalse(channel.finish());
        }
    }

    @Test
    void handlerThatHasLeftThePipelineKeepsItsConnection() {
        EmbeddedChannel channel = new EmbeddedChannel(new HAProxyMessageDecoder());
        ConnectionSaver saver = saver(channel, null);
        assertFalse(channel.writeInbound(Unpooled.copiedBuffer("PROXY TCP4 192.0.2.1 192", US_ASCII)));
        assertNull(saver.whyImmovable(DEFAULT), "its bytes move");
        assertTrue(channel.writeInbound(Unpooled.copiedBuffer(".0.2.2 1 2\r\n", US_ASCII)));
        assertNull(channel.pipeline().get(HAProxyMessageDecoder.class));
        assertEquals(
                "a HAProxyMessageDecoder has left the pipeline, and in the next process it would begin again",
                saver.look().whyImmovable(DEFAULT));
        assertNull(saver.whyImmovable(DEFAULT.without(HAProxyMessageDecoder.class)));
        channel.finishAndReleaseAll();
    }

    @Test
    void handlerWithoutAClassNameIsNamedAsInItsPipeline() {
        EmbeddedChannel channel = new EmbeddedChannel();
        channel.pipeline().addLast("mine", new ReplayingDecoder<Void>() {
            @Override
            protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) {
                out.add(in.readByte());
            }
        });
        assertEquals(
                "a decoder that keeps state inside a message (mine)",
                saver(channel, null).whyImmovable(DEFAULT));
        assertFalse(channel.finish());
    }

    @Test
    void lastWordCounts() {
        assertEquals(
                "after all",
                whyImmovable(DEFAULT.without(Framing.class).with(Framing.class, "after all"), new Framing()));
        assertNull(whyImmovable(DEFAULT.with(Framing.class, "a reason").without(Framing.class), new Framing()));
        assertEquals(
                "another reason",
                whyImmovable(DEFAULT.with(ChunkedWriteHandler.class, "another reason"), new ChunkedWriteHandler()));
    }

    @Test
    void handlersOfNettyHaveTheNamesOnTheList() throws Exception {
        Set<String> missing = new TreeSet<>();
        for (String name : ImmovableHandlers.ofNetty().keySet()) {
            Class<?> type;
            try {
                type = Class.forName(name, false, getClass().getClassLoader());
            } catch (ClassNotFoundException e) {
                missing.add(name);
                continue;
            }
            assertTrue(ChannelHandler.class.isAssignableFrom(type), name);
        }
        assertEquals(NettyLine.is42() ? Set.of() : ONLY_IN_4_2, missing);
    }

    private static ConnectionSaver saver(EmbeddedChannel channel, MessageGate gate) {
        PipelineContexts contexts = new PipelineContexts(channel.pipeline());
        contexts.look();
        return new ConnectionSaver(channel, contexts, gate, MovedAttributes.NONE, null, null, null);
    }

    private static String whyImmovable(ChannelHandler handler) {
        return whyImmovable(DEFAULT, handler);
    }

    private static String whyImmovable(ImmovableHandlers list, ChannelHandler handler) {
        EmbeddedChannel channel = new EmbeddedChannel(handler);
        String reason = saver(channel, null).whyImmovable(list);
        assertFalse(channel.finish());
        if (reason == null) {
            return null;
        }
        String name = " (" + handler.getClass().getSimpleName() + ")";
        assertTrue(reason.endsWith(name), reason);
        return reason.substring(0, reason.length() - name.length());
    }

    private static class Framing extends ChannelInboundHandlerAdapter {}

    private static final class SpecialFraming extends Framing {}

    private static class Replaying extends ReplayingDecoder<Void> {
        @Override
        protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) {
            out.add(in.readByte());
        }
    }

    private static final class MovableReplaying extends Replaying implements Movable {
        @Override
        public String section() {
            return "replaying";
        }
    }
}
