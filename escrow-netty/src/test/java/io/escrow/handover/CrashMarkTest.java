package io.escrow.handover;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.internal.EventLoops;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.codec.mqtt.MqttDecoder;
import io.netty.handler.codec.mqtt.MqttEncoder;
import io.netty.handler.codec.mqtt.MqttMessage;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Kills servers in the middle of a message: only connections go on that were in the middle of nothing. */
class CrashMarkTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(1_000, 1);
    private static final String GET = "GET /get HTTP/1.1\r\nHost: x\r\n\r\n";
    private static final String ANSWER = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    private static final String CHUNK = """
            HTTP/1.1 200 OK\r
            transfer-encoding: chunked\r
            \r
            1\r
            x\r
            """;
    private static final byte[] CONNECT = {0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 2, 'm', 'e'};
    private static final byte[] PING_REQUEST = {(byte) 0xC0, 0};

    private static final String UPGRADE = """
            GET /ws HTTP/1.1\r
            Host: x\r
            Connection: Upgrade\r
            Upgrade: websocket\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            Sec-WebSocket-Version: 13\r
            \r
            """;

    private static final String UPGRADED = """
            HTTP/1.1 101 Switching Protocols\r
            upgrade: websocket\r
            connection: upgrade\r
            sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r
            \r
            """;

    /** What the handlers have got, in any of the servers. */
    private final Queue<String> read = new ConcurrentLinkedQueue<>();

    @BeforeEach
    void beCrashSafe() {
        crashSafe = true;
    }

    /** Answers requests; never those of /poll, and those of /chunks with a first chunk. */
    private final class Http extends SimpleChannelInboundHandler<HttpObject> {
        private String path;

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, HttpObject msg) {
            if (msg instanceof HttpRequest request) {
                path = request.uri();
                read.add(path);
            }
            if (msg instanceof LastHttpContent) {
                answer(ctx);
            }
        }

        private void answer(ChannelHandlerContext ctx) {
            if (path.equals("/chunks")) {
                DefaultHttpResponse head = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
                head.headers().set(HttpHeaderNames.TRANSFER_ENCODING, HttpHeaderValues.CHUNKED);
                ctx.write(head);
                ctx.writeAndFlush(new DefaultHttpContent(Unpooled.copiedBuffer("x", US_ASCII)));
            } else if (!path.equals("/poll")) {
                DefaultFullHttpResponse response =
                        new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
                response.headers().set(HttpHeaderNames.CONTENT_LENGTH, 0);
                // On another turn of the event loop, as answers mostly are.
                ctx.executor().execute(() -> ctx.writeAndFlush(response));
            }
        }
    }

    private ServerHandoverBuilder http() {
        return server(bootstrap(ch -> ch.pipeline().addLast(new HttpServerCodec(), new Http())));
    }

    private ServerHandoverBuilder webSocket() {
        return server(bootstrap(ch -> ch.pipeline()
                .addLast(new HttpServerCodec(), new HttpObjectAggregator(1 << 16))
                .addLast(new WebSocketServerProtocolHandler("/ws"), new SimpleChannelInboundHandler<WebSocketFrame>() {
                    @Override
                    protected void channelRead0(ChannelHandlerContext ctx, WebSocketFrame frame) {
                        read.add("frame");
                        String text = frame.content().toString(US_ASCII);
                        ctx.writeAndFlush(new TextWebSocketFrame(!text.equals("part"), 0, text));
                    }
                })));
    }

    private ServerHandoverBuilder mqtt() {
        return server(bootstrap(ch -> ch.pipeline()
                .addLast(new MqttDecoder(), MqttEncoder.INSTANCE, new SimpleChannelInboundHandler<MqttMessage>() {
                    @Override
                    protected void channelRead0(ChannelHandlerContext ctx, MqttMessage packet) {
                        // Nothing is answered: it is repeated, or does not matter.
                        read.add(packet.fixedHeader().messageType().name());
                    }
                })));
    }

    private void awaitRead(int count) {
        Awaitility.await().until(() -> read.size() == count);
    }

    /** Waits until all that was sent to a server is read. */
    private static void awaitNothingUnread(ServerHandover server) {
        Awaitility.await().until(() -> unread(onlyConnection(server)) == 0);
    }

    private void assertReset(ServerHandover next, Peer peer) throws Exception {
        peer.assertResetAfterReading();
        assertRefused(next);
    }

    private void assertRefused(ServerHandover next) {
        List<String> refused = next.startReport().refused();
        assertEquals(1, refused.size(), refused::toString);
        assertTrue(refused.get(0).contains("in the middle of a message"), refused.get(0));
        assertEquals(0, next.startReport().foundAfterCrash());
        assertEquals(List.of(), next.startReport().left());
        awaitEscrowed(next, 0);
    }

    private static void assertGoesOn(ServerHandover next) {
        assertEquals(1, next.startReport().foundAfterCrash(), next.startReport()::toString);
        assertEquals(List.of(), next.startReport().refused());
    }

    private Peer connect(String request, String answer) throws Exception {
        Peer peer = connect();
        ask(peer, request, answer);
        return peer;
    }

    private static void ask(Peer peer, String request, String answer) throws Exception {
        peer.sendRaw(request.getBytes(US_ASCII));
        peer.assertReceivesRaw(answer.getBytes(US_ASCII));
    }

    private static byte[] frame(int first, String text) {
        byte[] frame = new byte[6 + text.length()];
        frame[0] = (byte) first;
        frame[1] = (byte) (0x80 | text.length());
        System.arraycopy(text.getBytes(US_ASCII), 0, frame, 6, text.length());
        return frame;
    }

    @Test
    void theMarksNeedADirectory() {
        Path none = Path.of("/nowhere/to/be/found");
        EscrowException failure = failure(http().marksDirectory(none));
        assertEquals(Status.EIO, failure.status());
        assertTrue(failure.text().contains("/nowhere/to/be/found"), failure.text());
        assertTrue(failure.text().contains("choose another directory"), failure.text());
    }

    /** They end before their pipeline is built. */
    @Test
    void connectionsThatTheInitializerClosesKeepNoPlace() throws Exception {
        ServerHandover server = start(server(bootstrap(Channel::close)));
        for (int i = 0; i < 20; i++) {
            connect().assertEnds();
            awaitConnections(server, 0);
        }
        int descriptor = server.context().connections().marks().descriptor().intValue();
        try (FileChannel marks = FileChannel.open(Path.of("/proc/self/fd/" + descriptor))) {
            ByteBuffer header = ByteBuffer.allocate(16).order(ByteOrder.nativeOrder());
            assertEquals(16, marks.read(header));
            // One for the header, and a few for those whose end was not known yet when the next one came.
            assertTrue(header.getLong(8) <= 5 * 64, () -> "bytes of marks: " + header.getLong(8));
        }
    }

    private static EscrowException failure(ServerHandoverBuilder builder) {
        return (EscrowException)
                assertThrows(CompletionException.class, () -> builder.start().join())
                        .getCause();
    }

    @Test
    void idleHttpGoesOnAgainAndAgain() throws Exception {
        ServerHandover server = start(http());
        Peer peer = connect(GET, ANSWER);
        for (int i = 0; i < 3; i++) {
            crash(server);
            server = start(http());
            assertGoesOn(server);
            ask(peer, GET + GET, ANSWER + ANSWER);
        }
    }

    @Test
    void restOfABodyIsNoRequest() throws Exception {
        ServerHandover server = start(http());
        Peer peer = connect(GET, ANSWER);
        peer.sendRaw(("POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: " + (1 + GET.length()) + "\r\n\r\nx")
                .getBytes(US_ASCII));
        awaitRead(2);
        crash(server);
        peer.sendRaw(GET.getBytes(US_ASCII));
        assertReset(start(http()), peer);
        assertEquals(List.of("/get", "/post"), List.copyOf(read));
    }

    @Test
    void halfAHeadIsReset() throws Exception {
        ServerHandover server = start(http());
        Peer peer = connect(GET, ANSWER);
        peer.sendRaw(GET.getBytes(US_ASCII), 0, 10);
        awaitNothingUnread(server);
        crash(server);
        assertReset(start(http()), peer);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/poll", "/chunks"})
    void requestThatIsNotAnsweredIsReset(String path) throws Exception {
        ServerHandover server = start(http());
        Peer peer = connect(GET.replace("/get", path), path.equals("/chunks") ? CHUNK : "");
        awaitRead(1);
        crash(server);
        assertReset(start(http()), peer);
    }

    @Test
    void webSocketBetweenMessagesGoesOn() throws Exception {
        ServerHandover server = start(webSocket());
        Peer peer = connect(UPGRADE, UPGRADED);
        for (int i = 0; i < 2; i++) {
            peer.sendRaw(frame(0x81, "whole"));
            peer.assertReceivesRaw(text(0x81, "whole"));
            crash(server);
            server = start(webSocket());
            assertGoesOn(server);
        }
    }

    private static byte[] text(int first, String text) {
        byte[] bytes = new byte[2 + text.length()];
        bytes[0] = (byte) first;
        bytes[1] = (byte) text.length();
        System.arraycopy(text.getBytes(US_ASCII), 0, bytes, 2, text.length());
        return bytes;
    }

    @Test
    void webSocketBetweenFragmentsIsReset() throws Exception {
        ServerHandover server = start(webSocket());
        Peer peer = connect(UPGRADE, UPGRADED);
        peer.sendRaw(frame(0x01, "some"));
        awaitRead(1);
        crash(server);
        peer.sendRaw(frame(0x80, "more"));
        assertReset(start(webSocket()), peer);
    }

    @Test
    void webSocketThatWasSentAFragmentIsReset() throws Exception {
        ServerHandover server = start(webSocket());
        Peer peer = connect(UPGRADE, UPGRADED);
        peer.sendRaw(frame(0x81, "part"));
        peer.assertReceivesRaw(text(0x01, "part"));
        crash(server);
        assertReset(start(webSocket()), peer);
    }

    @Test
    void halfAFrameIsReset() throws Exception {
        ServerHandover server = start(webSocket());
        Peer peer = connect(UPGRADE, UPGRADED);
        peer.sendRaw(frame(0x81, "whole"), 0, 5);
        awaitNothingUnread(server);
        crash(server);
        assertReset(start(webSocket()), peer);
    }

    @Test
    void mqttGoesOnThoughPacketsAreUnanswered() throws Exception {
        ServerHandover server = start(mqtt());
        Peer peer = connect();
        peer.sendRaw(CONNECT);
        peer.sendRaw(PING_REQUEST);
        awaitRead(2);
        crash(server);
        server = start(mqtt());
        assertGoesOn(server);
        peer.sendRaw(PING_REQUEST);
        awaitRead(3);
    }

    @Test
    void halfAPacketIsReset() throws Exception {
        ServerHandover server = start(mqtt());
        Peer peer = connect();
        peer.sendRaw(CONNECT);
        awaitRead(1);
        peer.sendRaw(PING_REQUEST, 0, 1);
        awaitNothingUnread(server);
        crash(server);
        assertReset(start(mqtt()), peer);
    }

    @Test
    void recordThatIsHalfReadIsResetWithoutAProtocol() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        peer.sendRaw(Peer.framed(RECORD), 0, 500);
        awaitNothingUnread(server);
        crash(server);
        assertReset(start(), peer);
    }

    @Test
    void recordThatIsCompleteAfterAllGoesOn() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        byte[] record = Peer.framed(RECORD);
        peer.sendRaw(record, 0, 500);
        awaitNothingUnread(server);
        peer.sendRaw(record, 500, record.length);
        peer.assertReceives(RECORD);
        crash(server);
        assertGoesOn(start());
        peer.assertEchoes(RECORD);
    }

    /** Does not read, so that most of an answer waits in the server. */
    private Peer askForMuch(byte[] record) throws Exception {
        Peer peer = connect();
        peer.send(record);
        return peer;
    }

    private static void awaitUnsent(ServerHandover server) {
        Awaitility.await()
                .until(() -> onlyConnection(server)
                                .channel()
                                .unsafe()
                                .outboundBuffer()
                                .totalPendingWriteBytes()
                        > 0);
    }

    private ServerHandoverBuilder slowServer() {
        ServerBootstrap bootstrap =
                bootstrap(ch -> ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(64 << 20, 0, 4), new Echo()));
        return server(bootstrap.childOption(ChannelOption.SO_SNDBUF, 1 << 14));
    }

    @Test
    void answerThatIsHalfWrittenIsReset() throws Exception {
        ServerHandover server = start(slowServer());
        Peer peer = askForMuch(Peer.bytes(2 << 20, 3));
        awaitUnsent(server);
        crash(server);
        assertReset(start(slowServer()), peer);
    }

    @Test
    void answerThatIsWrittenAfterAllGoesOn() throws Exception {
        byte[] record = Peer.bytes(2 << 20, 3);
        ServerHandover server = start(slowServer());
        Peer peer = askForMuch(record);
        awaitUnsent(server);
        peer.assertReceives(record);
        // The mark goes away a moment after the last byte has.
        EventLoops.settle(List.of(onlyConnection(server).channel().eventLoop())).join();
        crash(server);
        assertGoesOn(start(slowServer()));
        peer.assertEchoes(RECORD);
    }

    @Test
    void bytesThatWereHandedOverAreLostWithTheNextProcess() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        peer.sendRaw(Peer.framed(RECORD), 0, 500);
        awaitNothingUnread(server);
        handOver(server);
        server = start();
        assertEquals(1, server.startReport().adopted());
        crash(server);
        assertReset(start(), peer);
    }

    @Test
    void whatIsHandedOverInTheMiddleGoesOnAfterItsEnd() throws Exception {
        byte[] record = Peer.framed(RECORD);
        ServerHandover server = start();
        Peer peer = connect();
        peer.sendRaw(record, 0, 500);
        awaitNothingUnread(server);
        handOver(server);
        server = start();
        peer.sendRaw(record, 500, record.length);
        peer.assertReceives(RECORD);
        crash(server);
        assertGoesOn(start());
    }

    @Test
    void markEndsWithAServerThatIsNotCrashSafe() throws Exception {
        byte[] record = Peer.framed(RECORD);
        ServerHandover server = start();
        Peer peer = connect();
        peer.sendRaw(record, 0, 500);
        awaitNothingUnread(server);
        handOver(server);
        crashSafe = false;
        server = start();
        peer.sendRaw(record, 500, record.length);
        peer.assertReceives(RECORD);
        handOver(server);
        crashSafe = true;
        server = start();
        crash(server);
        assertGoesOn(start());
        peer.assertEchoes(RECORD);
    }

    @Test
    void connectionGoesOnAfterAHandoverThatFailed() throws Exception {
        ServerHandover server = start(http());
        Peer peer = connect(GET, ANSWER);
        daemon.close();
        assertThrows(EscrowException.class, () -> handOver(server, Duration.ofMillis(300)));
        restartDaemon();
        awaitSession(server);
        ask(peer, GET, ANSWER);
        awaitEscrowed(server, 1);
        crash(server);
        assertGoesOn(start(http()));
    }
}
