package io.escrow.handover.connection;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.protocol.ProtocolConnection;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import org.junit.jupiter.api.Test;

class MessageGateTest {

    /** Has messages that end with a full stop; fails if there is a question mark. */
    private static final class Sentences implements ProtocolConnection {
        private final ChannelHandler decoder;
        private int passed;

        Sentences(ChannelHandler decoder) {
            this.decoder = decoder;
        }

        @Override
        public ChannelHandler firstHandler() {
            return decoder;
        }

        @Override
        public int next(ByteBuf in, boolean mayBegin) {
            if (in.bytesBefore((byte) '?') >= 0) {
                throw new IllegalStateException("no questions");
            }
            return mayBegin ? in.bytesBefore((byte) '.') + 1 : 0;
        }

        @Override
        public void passed() {
            passed++;
        }

        @Override
        public boolean feeds(ChannelHandler handler) {
            return handler == decoder;
        }

        @Override
        public boolean isAtRest() {
            return true;
        }
    }

    private final ChannelHandler decoder = new ChannelInboundHandlerAdapter();
    private final EmbeddedChannel channel = new EmbeddedChannel(decoder);
    private final Sentences sentences = new Sentences(decoder);
    private final MessageGate gate = MessageGate.install(channel.pipeline(), "sentences", sentences);

    private static ByteBuf bytes(String text) {
        return Unpooled.copiedBuffer(text, US_ASCII);
    }

    private String nextIn() {
        ByteBuf in = channel.readInbound();
        String text = in.toString(US_ASCII);
        in.release();
        return text;
    }

    @Test
    void wholeMessageIsHandedOnAsItCame() {
        ByteBuf whole = bytes("whole.");
        channel.writeInbound(whole);
        ByteBuf in = channel.readInbound();
        assertSame(whole, in);
        in.release();
        assertFalse(gate.isHolding());
        assertEquals(1, sentences.passed);
        assertFalse(channel.finish());
    }

    @Test
    void whatIsNotWholeWaitsForTheRest() {
        channel.writeInbound(bytes("one.two.th"));
        assertEquals("one.", nextIn());
        assertEquals("two.", nextIn());
        assertArrayEquals("th".getBytes(US_ASCII), gate.held());
        channel.writeInbound(bytes("ree."));
        assertEquals("three.", nextIn());
        assertFalse(gate.isHolding());
        assertEquals(3, sentences.passed);
        channel.writeInbound(bytes("fo"));
        assertTrue(gate.isHolding());
        assertEquals(3, sentences.passed);
        channel.writeInbound(bytes("ur."));
        assertEquals("four.", nextIn());
        assertFalse(channel.finish());
    }

    @Test
    void nothingBeginsWhileItIsShut() {
        gate.shut();
        channel.writeInbound(bytes("later."));
        assertTrue(gate.isHolding());
        gate.open();
        assertEquals("later.", nextIn());
        assertFalse(channel.finish());
    }

    @Test
    void bytesAreKeptIfTheProtocolFails() {
        ByteBuf question = bytes("why?");
        assertThrows(IllegalStateException.class, () -> channel.writeInbound(question));
        assertArrayEquals("why?".getBytes(US_ASCII), gate.held());
        channel.pipeline().remove(gate);
        assertEquals(0, question.refCnt());
        assertFalse(channel.finish());
    }
}
