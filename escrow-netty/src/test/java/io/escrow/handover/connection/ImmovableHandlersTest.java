package io.escrow.handover.connection;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.escrow.handover.protocol.Movable;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.ReplayingDecoder;
import io.netty.handler.codec.json.JsonObjectDecoder;
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

    private static String whyImmovable(ChannelHandler handler) {
        EmbeddedChannel channel = new EmbeddedChannel(handler);
        String reason = new ConnectionSaver(channel, null).whyImmovable(ImmovableHandlers.DEFAULT);
        assertFalse(channel.finish());
        return reason;
    }

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
