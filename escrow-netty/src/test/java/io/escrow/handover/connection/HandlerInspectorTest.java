package io.escrow.handover.connection;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.connection.HandlerInspector.Question;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.DelimiterBasedFrameDecoder;
import io.netty.handler.codec.Delimiters;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.LineBasedFrameDecoder;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.handler.codec.haproxy.HAProxyMessageDecoder;
import io.netty.handler.codec.haproxy.HAProxyProtocolException;
import io.netty.handler.codec.memcache.binary.BinaryMemcacheRequestDecoder;
import io.netty.handler.codec.protobuf.ProtobufVarint32FrameDecoder;
import io.netty.handler.codec.redis.ArrayHeaderRedisMessage;
import io.netty.handler.codec.redis.IntegerRedisMessage;
import io.netty.handler.codec.redis.RedisArrayAggregator;
import io.netty.handler.codec.stomp.DefaultLastStompContentSubframe;
import io.netty.handler.codec.stomp.DefaultStompHeadersSubframe;
import io.netty.handler.codec.stomp.StompCommand;
import io.netty.handler.codec.stomp.StompSubframeAggregator;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Fails when a version of Netty has no longer the fields that tell what a handler is in the middle of. */
class HandlerInspectorTest {

    private static final HandlerInspector INSPECTOR = HandlerInspector.OF_NETTY;

    @Test
    void fieldsAreThereAndCanBeRead() throws Exception {
        for (Question question : INSPECTOR.questions()) {
            Class<?> type = Class.forName(question.type(), false, getClass().getClassLoader());
            assertNull(INSPECTOR.whyUnknown(type, false));
        }
    }

    static Stream<Arguments> decoders() {
        return Stream.of(true, false)
                .flatMap(failFast -> Stream.of(
                        Arguments.of(
                                new LengthFieldBasedFrameDecoder(10, 0, 1, 0, 0, failFast),
                                bytes(" too long"),
                                bytes("- the rest of 33 bytes -")),
                        Arguments.of(
                                new SpecialLengths(failFast), bytes(" too long"), bytes("- the rest of 33 bytes -")),
                        Arguments.of(
                                new LineBasedFrameDecoder(10, true, failFast), bytes("a line too long"), bytes("\n")),
                        Arguments.of(
                                new DelimiterBasedFrameDecoder(10, true, failFast, Delimiters.nulDelimiter()),
                                bytes("a frame too long"),
                                bytes("\0")),
                        Arguments.of(
                                new DelimiterBasedFrameDecoder(10, true, failFast, Delimiters.lineDelimiter()),
                                bytes("a line too long"),
                                bytes("\r\n")),
                        Arguments.of(new SpecialDelimiters(failFast), bytes("a line too long"), bytes("\r\n"))));
    }

    private static ByteBuf bytes(String text) {
        return Unpooled.copiedBuffer(text, US_ASCII);
    }

    private static final class SpecialLengths extends LengthFieldBasedFrameDecoder {
        SpecialLengths(boolean failFast) {
            super(10, 0, 1, 0, 0, failFast);
        }
    }

    private static final class SpecialDelimiters extends DelimiterBasedFrameDecoder {
        SpecialDelimiters(boolean failFast) {
            super(10, true, failFast, Delimiters.lineDelimiter());
        }
    }

    @ParameterizedTest
    @MethodSource("decoders")
    void decoderThatSkipsIsBusy(ChannelHandler decoder, ByteBuf tooLong, ByteBuf rest) {
        EmbeddedChannel channel = new EmbeddedChannel(decoder);
        assertNull(INSPECTOR.whyBusy(decoder));
        receive(channel, tooLong);
        String busy = INSPECTOR.whyBusy(decoder);
        assertTrue(busy.endsWith(" skips the rest of a frame that is too long"), busy);
        receive(channel, rest);
        assertNull(INSPECTOR.whyBusy(decoder));
        channel.finishAndReleaseAll();
    }

    private static void receive(EmbeddedChannel channel, ByteBuf bytes) {
        try {
            channel.writeInbound(bytes);
        } catch (TooLongFrameException | HAProxyProtocolException e) {
            // As it should.
        }
    }

    @Test
    void decoderOfProtobufThatSkipsIsBusy() {
        ProtobufVarint32FrameDecoder decoder = new ProtobufVarint32FrameDecoder(10);
        EmbeddedChannel channel = new EmbeddedChannel(decoder);
        receive(channel, bytes(" too long"));
        assertEquals(
                "a ProtobufVarint32FrameDecoder skips the rest of a frame that is too long",
                INSPECTOR.whyBusy(decoder));
        receive(channel, bytes("- the rest of 33 bytes -"));
        assertNull(INSPECTOR.whyBusy(decoder));
        channel.finishAndReleaseAll();
    }

    @Test
    void decoderOfProxyHeaderThatSkipsIsBusy() {
        HAProxyMessageDecoder decoder = new HAProxyMessageDecoder();
        EmbeddedChannel channel = new EmbeddedChannel(decoder);
        receive(channel, bytes("PROXY TCP4 " + "1".repeat(200)));
        assertEquals("a HAProxyMessageDecoder skips the rest of a frame that is too long", INSPECTOR.whyBusy(decoder));
        channel.finishAndReleaseAll();
    }

    @Test
    void aggregatorIsBusyInTheMiddleOfAMessage() {
        StompSubframeAggregator stomp = new StompSubframeAggregator(100);
        assertBusyBetween(
                stomp,
                new DefaultStompHeadersSubframe(StompCommand.SEND),
                new DefaultLastStompContentSubframe(bytes("x")));
        assertBusyBetween(
                new RedisArrayAggregator(100, 10), new ArrayHeaderRedisMessage(1), new IntegerRedisMessage(1));
    }

    private static void assertBusyBetween(ChannelHandler aggregator, Object first, Object last) {
        EmbeddedChannel channel = new EmbeddedChannel(aggregator);
        channel.writeInbound(first);
        assertEquals(
                "a " + aggregator.getClass().getSimpleName() + " has a part of a message",
                INSPECTOR.whyBusy(aggregator));
        channel.writeInbound(last);
        assertNull(INSPECTOR.whyBusy(aggregator));
        channel.finishAndReleaseAll();
    }

    @Test
    void whatCannotBeAskedIsNamedWithWhatHelps() {
        String list = ArrayList.class.getName();
        Question closed = new Question(list, "size", "is full", false);
        HandlerInspector inspector = new HandlerInspector(List.of(closed));
        assertEquals(
                "a ArrayList, of which nobody can tell whether it is full: run the server with --add-opens"
                        + " java.base/java.util=ALL-UNNAMED",
                inspector.whyUnknown(ArrayList.class, true));
        assertEquals(
                "a ArrayList, of which nobody can tell whether it is full: this version of Netty has no field gone",
                new HandlerInspector(List.of(new Question(list, "gone", "is full", false)))
                        .whyUnknown(ArrayList.class, false));
        assertNull(inspector.whyUnknown(String.class, false), "there is nothing to ask");
    }

    @Test
    void handlersOfMessagesNeedNotBeAskedWhenAProtocolKnows() {
        HandlerInspector inspector = new HandlerInspector(
                List.of(new Question(BinaryMemcacheRequestDecoder.class.getName(), "gone", "is full", true)));
        assertNull(inspector.whyUnknown(BinaryMemcacheRequestDecoder.class, true));
        assertEquals(
                "a BinaryMemcacheRequestDecoder, of which nobody can tell whether it is full: this version of Netty has"
                        + " no field gone",
                inspector.whyUnknown(BinaryMemcacheRequestDecoder.class, false));
        assertNull(inspector.whyBusy(new BinaryMemcacheRequestDecoder()));
    }
}
