package io.escrow.handover;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketServerHandshakerFactory;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Ends WebSockets in each way in which the library does, and looks what their peers are told. */
class WebSocketEndTest extends HandoverHarness {

    private static final byte[] RESTART = {(byte) 0x88, 2, 1012 >> 8, (byte) 1012};
    private static final byte[] NORMAL = {(byte) 0x88, 5, 1000 >> 8, (byte) 1000, 'B', 'y', 'e'};

    /** With the mask 0: the first fragment of a text, and a Close frame without a status. */
    private static final byte[] FRAGMENT = {1, (byte) 0x81, 0, 0, 0, 0, 'x'};

    private static final byte[] CLOSE = {(byte) 0x88, (byte) 0x80, 0, 0, 0, 0};

    /** A text frame that asks for the first fragment of an answer, and that fragment. */
    private static final byte[] TEXT = {(byte) 0x81, (byte) 0x81, 0, 0, 0, 0, 'x'};

    private static final byte[] ANSWER = {1, 1, 'x'};

    private static final String UPGRADE = """
            GET /ws HTTP/1.1\r
            Host: x\r
            Connection: Upgrade\r
            Upgrade: websocket\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            Sec-WebSocket-Version: 13\r
            \r
            """;

    /** How a server becomes one of WebSockets. */
    enum Kind {
        PROTOCOL_HANDLER {
            @Override
            void init(Channel channel) {
                channel.pipeline().addLast(new WebSocketServerProtocolHandler("/ws"), new Halves());
            }
        },
        HANDSHAKER {
            @Override
            void init(Channel channel) {
                channel.pipeline().addLast(new Handshaker(), new Halves());
            }
        };

        abstract void init(Channel channel);
    }

    private static final class Handshaker extends SimpleChannelInboundHandler<FullHttpRequest> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, FullHttpRequest request) {
            new WebSocketServerHandshakerFactory("ws://x/ws", null, false)
                    .newHandshaker(request)
                    .handshake(ctx.channel(), request);
            ctx.pipeline().remove(this);
        }
    }

    /** Answers each message with the first fragment of one. */
    private static final class Halves extends SimpleChannelInboundHandler<TextWebSocketFrame> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, TextWebSocketFrame frame) {
            if (frame.isFinalFragment()) {
                ctx.writeAndFlush(
                        new TextWebSocketFrame(false, 0, frame.content().retain()));
            }
        }
    }

    /** Keeps connections here. */
    private static final class Staying extends ChannelInboundHandlerAdapter {}

    private ServerHandoverBuilder server(Kind kind) {
        return server(bootstrap(channel -> {
            channel.pipeline().addLast(new HttpServerCodec(), new HttpObjectAggregator(1_000));
            kind.init(channel);
            channel.pipeline().addLast(new Staying());
        }));
    }

    private ServerHandoverBuilder staying(Kind kind, Duration drain) {
        return server(kind).immovable(Staying.class, "for this test").drain(drain);
    }

    private Socket open() throws IOException {
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
        socket.setSoTimeout((int) TIME.toMillis());
        socket.getOutputStream().write(UPGRADE.getBytes(US_ASCII));
        ByteArrayOutputStream head = new ByteArrayOutputStream();
        while (!head.toString(US_ASCII).endsWith("\r\n\r\n")) {
            head.write(socket.getInputStream().read());
        }
        assertTrue(head.toString(US_ASCII).startsWith("HTTP/1.1 101 "));
        return socket;
    }

    private static void assertReceives(Socket socket, byte[] expected) throws IOException {
        byte[] received = new byte[expected.length];
        new DataInputStream(socket.getInputStream()).readFully(received);
        assertArrayEquals(expected, received);
    }

    @ParameterizedTest
    @EnumSource
    void drainedInTheMiddleOfMessagesIsToldToComeAgain(Kind kind) throws Exception {
        ServerHandover server = start(staying(kind, Duration.ofSeconds(2)));
        try (Socket socket = open()) {
            socket.getOutputStream().write(TEXT);
            assertReceives(socket, ANSWER);
            socket.getOutputStream().write(FRAGMENT);
            assertEquals(1, handOver(server).staying().size());
            assertReceives(socket, RESTART);
            socket.getOutputStream().write(CLOSE);
            // Not a second Close frame, and not only at the end of the time.
            assertEquals(-1, socket.getInputStream().read());
        }
        server.drained().join();
        start(server(kind));
    }

    @ParameterizedTest
    @EnumSource
    void drainedIsClosedWhenItsPeerDoesNotAnswer(Kind kind) throws Exception {
        ServerHandover server = start(staying(kind, Duration.ofMillis(300)));
        try (Socket socket = open()) {
            handOver(server);
            assertReceives(socket, RESTART);
            assertEquals(-1, socket.getInputStream().read());
        }
        server.drained().join();
        start(server(kind));
    }

    @Test
    void refusedAfterACrashIsToldNothing() throws Exception {
        crashSafe = true;
        ServerHandover server = start(server(Kind.PROTOCOL_HANDLER));
        try (Socket socket = open()) {
            awaitEscrowed(server, 1);
            checkpointOnly(server);
            crash(server);
            ServerHandover next = start(server(Kind.PROTOCOL_HANDLER).resumeAfterCrash(channel -> false));
            assertEquals(1, next.startReport().refused().size());
            assertEquals(-1, socket.getInputStream().read());
        }
    }

    @Test
    void serverThatIsClosedSaysWhatItsHandlerSays() throws Exception {
        ServerHandover server = start(server(Kind.PROTOCOL_HANDLER));
        try (Socket socket = open()) {
            await().until(() -> server.connections() == 1);
            server.close();
            assertReceives(socket, NORMAL);
            assertEquals(-1, socket.getInputStream().read());
        }
    }
}
