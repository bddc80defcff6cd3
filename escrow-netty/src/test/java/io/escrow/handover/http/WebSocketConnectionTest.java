package io.escrow.handover.http;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.connection.Gates;
import io.escrow.handover.connection.MessageGate;
import io.escrow.handover.protocol.ProtocolConnection;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.ContinuationWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PingWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocket13FrameEncoder;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolConfig;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WebSocketConnectionTest {

    private static final String REQUEST = String.join(
            "\r\n",
            "GET /ws?q=1 HTTP/1.1",
            "Host: h",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: other, chat",
            "Sec-WebSocket-Extensions: permessage-deflate",
            "",
            "");

    private final List<String> received = new ArrayList<>();
    private EmbeddedChannel channel;
    private MessageGate gate;

    @BeforeEach
    void upgrade() {
        open("chat");
        channel.writeInbound(Unpooled.copiedBuffer(REQUEST, US_ASCII));
        assertTrue(sent().startsWith("HTTP/1.1 101 "));
        assertEquals(List.of("/ws?q=1 chat"), received);
        received.clear();
    }

    @AfterEach
    void nothingIsLeft() {
        channel.finishAndReleaseAll();
    }

    private void open(String subprotocols) {
        channel = new EmbeddedChannel();
        WebSocketServerProtocolConfig config = WebSocketServerProtocolConfig.newBuilder()
                .websocketPath("/ws")
                .checkStartsWith(true)
                .subprotocols(subprotocols)
                .maxFramePayloadLength(1_000_000)
                .build();
        channel.pipeline()
                .addLast("first", new ChannelInboundHandlerAdapter())
                .addLast(new HttpServerCodec(), new HttpObjectAggregator(10_000))
                .addLast(new WebSocketServerProtocolHandler(config), new Collector());
        gate = Gates.install(channel);
        assertNotNull(gate);
    }

    private final class Collector extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            WebSocketFrame frame = (WebSocketFrame) msg;
            received.add(frame.content().toString(US_ASCII));
            frame.release();
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof WebSocketServerProtocolHandler.HandshakeComplete done) {
                received.add(done.requestUri() + " " + done.selectedSubprotocol());
                // Goes nowhere when the upgrade is repeated.
                ctx.writeAndFlush(new TextWebSocketFrame("welcome"));
            }
        }
    }

    /** Encodes frames as a client does. */
    private static byte[] encode(WebSocketFrame... frames) {
        EmbeddedChannel encoder = new EmbeddedChannel(new WebSocket13FrameEncoder(true));
        encoder.writeOutbound((Object[]) frames);
        ByteBuf all = Unpooled.buffer();
        for (ByteBuf bytes = encoder.readOutbound(); bytes != null; bytes = encoder.readOutbound()) {
            all.writeBytes(bytes);
            bytes.release();
        }
        encoder.finish();
        return ByteBufUtil.getBytes(all);
    }

    private void send(byte[] bytes, int from, int to) {
        channel.writeInbound(Unpooled.copiedBuffer(bytes, from, to - from));
    }

    private String sent() {
        StringBuilder all = new StringBuilder();
        for (ByteBuf bytes = channel.readOutbound(); bytes != null; bytes = channel.readOutbound()) {
            all.append(bytes.toString(US_ASCII));
            bytes.release();
        }
        return all.toString();
    }

    private static TextWebSocketFrame text(String text) {
        return new TextWebSocketFrame(text);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 125, 126, 40_000})
    void halfAFrameIsHeld(int length) {
        byte[] frame = encode(text("x".repeat(length)));
        int step = Math.max(1, frame.length / 300);
        for (int i = 0; i < frame.length; i += step) {
            assertTrue(gate.isAtRest());
            assertEquals(i, gate.held().length);
            send(frame, i, Math.min(i + step, frame.length));
        }
        assertEquals(List.of("x".repeat(length)), received);
        assertEquals(0, gate.held().length);
        assertNull(gate.whyImmovable());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 1_000})
    void aFragmentedMessageIsNotAtRestUntilItsEnd(int step) {
        byte[] all = encode(
                new TextWebSocketFrame(false, 0, "one"),
                new PingWebSocketFrame(Unpooled.copiedBuffer("ping", US_ASCII)),
                new ContinuationWebSocketFrame(false, 0, "two"),
                new ContinuationWebSocketFrame(true, 0, "three"),
                text("next"),
                new PingWebSocketFrame());
        byte[] first = encode(new TextWebSocketFrame(false, 0, "one"));
        send(all, 0, first.length);
        assertFalse(gate.isAtRest());
        gate.shut();
        for (int i = first.length; i < all.length; i += step) {
            send(all, i, Math.min(i + step, all.length));
        }
        assertTrue(gate.isAtRest());
        assertEquals(List.of("one", "two", "three"), received);
        assertTrue(sent().contains("ping"));
        assertEquals(encode(text("next"), new PingWebSocketFrame()).length, gate.held().length);
        gate.open();
        assertEquals("next", received.get(3));
    }

    @Test
    void aLongFrameIsNotHeld() {
        byte[] frame = encode(text("x".repeat(ProtocolConnection.MAX_KEPT + 1)), text("next"));
        gate.shut();
        send(frame, 0, 100);
        assertTrue(gate.isAtRest());
        gate.open();
        assertFalse(gate.isAtRest());
        assertEquals(0, gate.held().length);
        gate.shut();
        send(frame, 100, 1_000);
        assertFalse(gate.isAtRest());
        send(frame, 1_000, frame.length);
        assertTrue(gate.isAtRest());
        assertEquals(1, received.size());
        assertEquals(encode(text("next")).length, gate.held().length);
    }

    @Test
    void aMessageThatIsHalfSentIsNotAtRest() {
        channel.writeOutbound(new TextWebSocketFrame(false, 0, "one"));
        assertFalse(gate.isAtRest());
        channel.writeOutbound(new PingWebSocketFrame());
        assertFalse(gate.isAtRest());
        channel.writeOutbound(new ContinuationWebSocketFrame(true, 0, "two"));
        assertTrue(gate.isAtRest());
    }

    @Test
    void whatIsAboutToCloseStays() {
        channel.writeOutbound(new CloseWebSocketFrame());
        assertEquals("WebSocket that is about to close", gate.whyImmovable());
    }

    @Test
    void theLastWordComesBetweenFragmentsAndNothingBehindIt() {
        channel.writeOutbound(new TextWebSocketFrame(false, 0, "one"));
        sent();
        CompletableFuture<Void> ended = gate.end();
        ByteBuf close = Unpooled.buffer();
        for (ByteBuf bytes = channel.readOutbound(); bytes != null; bytes = channel.readOutbound()) {
            close.writeBytes(bytes);
            bytes.release();
        }
        assertArrayEquals(new byte[] {(byte) 0x88, 2, 1012 >> 8, (byte) 1012}, ByteBufUtil.getBytes(close));
        ChannelFuture dropped = channel.writeAndFlush(new ContinuationWebSocketFrame(true, 0, "two"));
        assertInstanceOf(ClosedChannelException.class, dropped.cause());
        assertTrue(channel.writeAndFlush(new CloseWebSocketFrame()).isSuccess());
        assertEquals("", sent());
        assertFalse(ended.isDone());
        assertSame(ended, gate.end());
        byte[] answer = encode(new CloseWebSocketFrame());
        send(answer, 0, answer.length);
        assertTrue(ended.isDone());
        assertEquals("", sent());
    }

    @Test
    void theLastWordIsNotSaidTwice() {
        channel.writeOutbound(new CloseWebSocketFrame());
        sent();
        assertFalse(gate.end().isDone());
        assertEquals("", sent());
        channel.close();
        assertTrue(gate.end().isDone());
    }

    @Test
    void theUpgradeIsRepeatedWithoutAWord() {
        byte[] upgrade = gate.save();
        assertFalse(new String(upgrade, US_ASCII).contains("permessage"));
        List<String> before = channel.pipeline().names();
        channel.finishAndReleaseAll();
        open("chat, other");
        CompletableFuture<Void> rebuilt = rebuild(upgrade);
        assertTrue(isSuccess(rebuilt));
        assertEquals(List.of("/ws?q=1 chat"), received);
        assertEquals("", sent());
        assertEquals(before, channel.pipeline().names());
        assertArrayEquals(upgrade, gate.save());
        assertTrue(gate.isAtRest());
        byte[] frame = encode(text("hello"));
        send(frame, 0, frame.length);
        assertEquals("hello", received.get(1));
        channel.writeOutbound(text("answer"));
        assertTrue(sent().contains("answer"));
    }

    @Test
    void anAnnouncedEmptyBodyMakesNoDifference() {
        channel.finishAndReleaseAll();
        open("chat");
        channel.writeInbound(Unpooled.copiedBuffer(REQUEST.replace("Host: h", "Content-Length: 0"), US_ASCII));
        assertTrue(sent().startsWith("HTTP/1.1 101 "));
        assertTrue(gate.isAtRest());
        assertNull(gate.whyImmovable());
        byte[] upgrade = gate.save();
        channel.finishAndReleaseAll();
        open("chat");
        assertTrue(isSuccess(rebuild(upgrade)));
        assertTrue(gate.isAtRest());
    }

    @Test
    void anUpgradeThatEndsOtherwiseFails() {
        byte[] upgrade = gate.save();
        channel.finishAndReleaseAll();
        open("other");
        assertFalse(isSuccess(rebuild(upgrade)));
        assertEquals("", sent());
    }

    private static boolean isSuccess(CompletableFuture<Void> rebuilt) {
        return rebuilt.isDone() && !rebuilt.isCompletedExceptionally();
    }

    private CompletableFuture<Void> rebuild(byte[] upgrade) {
        CompletableFuture<Void> rebuilt = gate.restore(upgrade);
        channel.runPendingTasks();
        return rebuilt;
    }
}
