package io.escrow.handover.connection;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.protocol.Movable;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.ReplayingDecoder;
import io.netty.handler.codec.json.JsonObjectDecoder;
import io.netty.handler.flow.FlowControlHandler;
import io.netty.handler.stream.ChunkedWriteHandler;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ImmovableHandlersTest {

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
        assertEquals("a handler that keeps messages back", whyImmovable(new ChunkedWriteHandler()));
        assertEquals("a handler that keeps messages back", whyImmovable(new FlowControlHandler()));
    }

    @Test
    void reasonAppliesToSubclasses() {
        ImmovableHandlers list = DEFAULT.with(Framing.class, "a reason");
        assertEquals("a reason", list.whyImmovable(new Framing()));
        assertEquals("a reason", list.whyImmovable(new SpecialFraming()));
        assertNull(list.whyImmovable(new LengthFieldBasedFrameDecoder(100, 0, 4)));
        assertNull(DEFAULT.whyImmovable(new Framing()), "a list does not change");
    }

    @Test
    void nearestClassCounts() {
        ImmovableHandlers list = DEFAULT.with(Framing.class, "far").with(SpecialFraming.class, "near");
        assertEquals("far", list.whyImmovable(new Framing()));
        assertEquals("near", list.whyImmovable(new SpecialFraming()));
        assertNull(
                DEFAULT.with(Framing.class, "far").without(SpecialFraming.class).whyImmovable(new SpecialFraming()));
        assertEquals(
                "near",
                DEFAULT.without(Framing.class)
                        .with(SpecialFraming.class, "near")
                        .whyImmovable(new SpecialFraming()));
    }

    @Test
    void userVouchesForHandlersOfNettyAndTheirSubclasses() {
        assertNull(DEFAULT.without(ChunkedWriteHandler.class).whyImmovable(new ChunkedWriteHandler()));
        assertNull(DEFAULT.without(Replaying.class).whyImmovable(new Replaying()));
        assertNull(DEFAULT.without(Replaying.class).whyImmovable(new MovableReplaying()));
        assertNull(DEFAULT.without(ReplayingDecoder.class).whyImmovable(new Replaying()));
        assertEquals(
                "a decoder that keeps state inside a message",
                DEFAULT.without(MovableReplaying.class).whyImmovable(new Replaying()));
    }

    @Test
    void lastWordCounts() {
        assertEquals(
                "after all",
                DEFAULT.without(Framing.class).with(Framing.class, "after all").whyImmovable(new Framing()));
        assertNull(
                DEFAULT.with(Framing.class, "a reason").without(Framing.class).whyImmovable(new Framing()));
        assertEquals(
                "another reason",
                DEFAULT.with(ChunkedWriteHandler.class, "another reason").whyImmovable(new ChunkedWriteHandler()));
    }

    @Test
    void handlersOfNettyHaveTheNamesOnTheList() throws Exception {
        List<String> missing = new ArrayList<>();
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
        assertEquals(List.of(), missing);
    }

    private static String whyImmovable(ChannelHandler handler) {
        EmbeddedChannel channel = new EmbeddedChannel(handler);
        String reason = new ConnectionSaver(channel, null).whyImmovable(ImmovableHandlers.DEFAULT);
        assertFalse(channel.finish());
        return reason;
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
