package io.escrow.handover.http;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.connection.Gates;
import io.escrow.handover.connection.MessageGate;
import io.escrow.handover.protocol.HandoverEvent;
import io.escrow.handover.protocol.ProtocolConnection;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.DefaultFileRegion;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpContentCompressor;
import io.netty.handler.codec.http.HttpContentDecompressor;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpRequestDecoder;
import io.netty.handler.codec.http.HttpResponseEncoder;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpServerExpectContinueHandler;
import io.netty.handler.codec.http.HttpServerKeepAliveHandler;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import java.io.File;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class HttpConnectionTest {

    private static final String GET = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
    private static final String POST = "POST /b HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello";
    private static final String CHUNKED = String.join(
            "\r\n",
            "POST /c HTTP/1.1",
            "Transfer-Encoding: chunked",
            "",
            "5;x=\"y\"",
            "hello",
            "A",
            ", wonderfu",
            "1",
            "l",
            "0",
            "Trailer: t",
            "Another: u",
            "",
            "");

    static List<String> bodies() {
        return List.of(POST, CHUNKED);
    }

    static List<String> all() {
        return List.of(GET, POST, CHUNKED, "\r\n" + GET, "POST /d HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    }

    private final List<String> requests = new ArrayList<>();
    private EmbeddedChannel channel;
    private MessageGate gate;

    @AfterEach
    void nothingIsLeft() {
        channel.finishAndReleaseAll();
    }

    /** Makes a channel as a guard would; the handlers stand behind the codec. */
    private void open(ChannelHandler... handlers) {
        openWith(new ChannelHandler[] {new HttpServerCodec()}, handlers);
    }

    private void openWith(ChannelHandler[] codec, ChannelHandler... handlers) {
        channel = new EmbeddedChannel();
        channel.pipeline().addLast("first", new ChannelInboundHandlerAdapter());
        channel.pipeline().addLast(codec);
        channel.pipeline().addLast(handlers);
        channel.pipeline().addLast(new HttpObjectAggregator(1_000_000), new Collector());
        gate = Gates.install(channel);
        assertNotNull(gate);
    }

    /** Notes requests, and leaves them unanswered. */
    private final class Collector extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            FullHttpRequest request = (FullHttpRequest) msg;
            requests.add(request.method() + " " + request.uri() + " "
                    + request.content().toString(US_ASCII));
            request.release();
        }
    }

    private void send(String bytes) {
        channel.writeInbound(Unpooled.copiedBuffer(bytes, US_ASCII));
    }

    private void answer() {
        DefaultFullHttpResponse response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
        HttpUtil.setContentLength(response, 0);
        channel.writeOutbound(response);
    }

    private String sent() {
        StringBuilder all = new StringBuilder();
        for (ByteBuf bytes = channel.readOutbound(); bytes != null; bytes = channel.readOutbound()) {
            all.append(bytes.toString(US_ASCII));
            bytes.release();
        }
        return all.toString();
    }

    private String held() {
        return new String(gate.held(), US_ASCII);
    }

    private void openAgain() {
        gate.open();
    }

    @ParameterizedTest
    @MethodSource("all")
    void nothingIsInTheDecoderBetweenRequests(String request) {
        open();
        int head = request.indexOf("\r\n\r\n", 2) + 4;
        for (int i = 0; i < request.length(); i++) {
            assertTrue(i >= head || gate.isAtRest(), "at rest after " + i + " bytes");
            assertFalse(i >= head && gate.isAtRest(), "not at rest after " + i + " bytes");
            assertEquals(i < head ? request.substring(0, i) : "", held());
            send(request.substring(i, i + 1));
        }
        assertEquals(1, requests.size());
        assertFalse(gate.isAtRest(), "not answered yet");
        answer();
        assertTrue(gate.isAtRest());
        assertNull(gate.whyImmovable());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 7, 50, 1_000})
    void pipelinedRequestsArriveAsTheyWereSent(int step) {
        open();
        String all = (GET + POST + "\r\n" + CHUNKED + GET).repeat(3);
        for (int i = 0; i < all.length(); i += step) {
            send(all.substring(i, Math.min(i + step, all.length())));
        }
        List<String> expected = List.of("GET /a ", "POST /b hello", "POST /c hello, wonderful", "GET /a ");
        assertEquals(12, requests.size());
        assertEquals(expected, requests.subList(8, 12));
        for (int i = 0; i < 12; i++) {
            assertFalse(gate.isAtRest());
            answer();
        }
        assertTrue(gate.isAtRest());
        assertEquals("", held());
    }

    @ParameterizedTest
    @MethodSource("bodies")
    void shutItFinishesTheRequestUnderWayAndKeepsTheNext(String request) {
        open();
        int cut = request.indexOf("hello") + 2;
        send(request.substring(0, cut));
        gate.shut();
        assertFalse(gate.isAtRest());
        send(request.substring(cut) + GET + "GET /half");
        assertEquals(1, requests.size());
        assertFalse(gate.isAtRest());
        answer();
        assertTrue(gate.isAtRest());
        assertEquals(GET + "GET /half", held());

        openAgain();
        assertEquals(2, requests.size());
        assertEquals("GET /half", held());
        send("-way HTTP/1.1\r\n\r\n");
        assertEquals("GET /half-way ", requests.get(2));
    }

    @Test
    void lastResponseOfADrainedConnectionSaysThatItCloses() {
        open();
        send(GET + GET);
        channel.pipeline().fireUserEventTriggered(HandoverEvent.DRAINING);
        channel.writeOutbound(new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.CONTINUE));
        answer();
        assertFalse(sent().contains("connection"), "another answer is due");
        assertTrue(channel.isActive());
        answer();
        assertTrue(sent().contains("connection: close\r\n"));
        assertFalse(channel.isActive());
    }

    @Test
    void responseInPartsOfADrainedConnectionSaysThatItCloses() {
        open();
        channel.pipeline().fireUserEventTriggered(HandoverEvent.DRAINING);
        send(GET);
        DefaultHttpResponse head = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
        HttpUtil.setTransferEncodingChunked(head, true);
        channel.writeOutbound(head);
        assertTrue(sent().contains("connection: close\r\n"));
        assertTrue(channel.isActive());
        channel.writeOutbound(LastHttpContent.EMPTY_LAST_CONTENT);
        assertEquals("0\r\n\r\n", sent());
        assertFalse(channel.isActive());
    }

    @Test
    void shutItKeepsNoMoreThanItMay() {
        open();
        gate.shut();
        send("x".repeat(ProtocolConnection.MAX_KEPT));
        assertTrue(channel.config().isAutoRead());
        send("x");
        assertFalse(channel.config().isAutoRead());
        openAgain();
        assertTrue(channel.config().isAutoRead());
    }

    @Test
    void aHeadWithoutEndIsForTheDecoderToRefuse() {
        open();
        send("GET /" + "x".repeat(ProtocolConnection.MAX_KEPT - 5));
        assertEquals(0, requests.size());
        send("x");
        assertEquals("GET /bad-request ", requests.get(0));
        assertNotNull(gate.whyImmovable());
    }

    @Test
    void aBrokenRequestIsImmovable() {
        open();
        send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n");
        assertEquals("HTTP with a broken request", gate.whyImmovable());
        assertFalse(gate.isAtRest());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"five", "-1", "+5", "5, 6", "5\r\nContent-Length: 6", "99999999999999999999", "5 5", "", "0x5"})
    void aRequestWithABrokenLengthIsForThePipelineToRefuse(String length) {
        open();
        send("POST /b HTTP/1.1\r\nContent-Length: " + length + "\r\n\r\nhello");
        assertEquals(List.of("POST /b "), requests);
        assertEquals("HTTP with a broken request", gate.whyImmovable());
        assertEquals("", held());
        channel.checkException();
    }

    @Test
    void continueIsNoAnswer() {
        open(new HttpServerExpectContinueHandler());
        String head = "POST /b HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
        send(head);
        assertTrue(sent().startsWith("HTTP/1.1 100 "));
        assertFalse(gate.isAtRest());
        send("hello");
        assertFalse(gate.isAtRest());
        answer();
        assertTrue(gate.isAtRest());
        channel.writeOutbound(
                new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.valueOf(103)),
                LastHttpContent.EMPTY_LAST_CONTENT);
        send(GET);
        channel.writeOutbound(
                new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.valueOf(103)),
                LastHttpContent.EMPTY_LAST_CONTENT);
        assertFalse(gate.isAtRest());
        answer();
        assertTrue(gate.isAtRest());
    }

    @Test
    void aBodyThatIsRefusedDoesNotCome() {
        open();
        send("POST /b HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1000001\r\n\r\n");
        assertTrue(sent().startsWith("HTTP/1.1 413 "));
        assertTrue(gate.isAtRest());
        send(GET);
        assertEquals(List.of("GET /a "), requests);
        assertNull(gate.whyImmovable());
    }

    @Test
    void whatIsAboutToCloseStays() {
        open(new HttpServerKeepAliveHandler());
        send("HEAD /a HTTP/1.1\r\n\r\n");
        channel.writeOutbound(
                new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.NO_CONTENT),
                LastHttpContent.EMPTY_LAST_CONTENT);
        assertNull(gate.whyImmovable());
        assertTrue(gate.isAtRest());
        send("GET /a HTTP/1.1\r\nConnection: close\r\n\r\n");
        assertEquals("HTTP connection that is about to close", gate.whyImmovable());
    }

    @Test
    void theAnswerToHeadNeedsNoLength() {
        open();
        send("HEAD /a HTTP/1.1\r\n\r\n");
        channel.writeOutbound(new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK));
        assertNull(gate.whyImmovable());
        send(GET);
        channel.writeOutbound(new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK));
        assertEquals("HTTP connection that is about to close", gate.whyImmovable());
    }

    @Test
    void compressionAndSeparateCodecs() {
        openWith(
                new ChannelHandler[] {new HttpResponseEncoder(), new HttpRequestDecoder()},
                new HttpContentDecompressor(1_000_000),
                new HttpContentCompressor());
        send("POST /b HTTP/1.1\r\nAccept-Encoding: gzip\r\nContent-Encoding: identity\r\nContent-Length: 5\r\n\r\nhel");
        assertFalse(gate.isAtRest());
        send("lo" + GET);
        DefaultFullHttpResponse response = new DefaultFullHttpResponse(
                HttpVersion.HTTP_1_1, HttpResponseStatus.OK, Unpooled.copiedBuffer("x".repeat(1_000), US_ASCII));
        HttpUtil.setContentLength(response, 1_000);
        channel.writeOutbound(response);
        assertFalse(gate.isAtRest());
        assertTrue(sent().contains("content-encoding: gzip"));
        answer();
        assertTrue(gate.isAtRest());
        assertEquals(List.of("POST /b hello", "GET /a "), requests);
        assertTrue(gate.feeds(channel.pipeline().get(HttpRequestDecoder.class)));
    }

    @Test
    void aFileThatIsNotSentYetHasToStay() {
        open();
        send(GET);
        DefaultHttpResponse response = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
        HttpUtil.setContentLength(response, 1);
        channel.write(response);
        channel.write(new DefaultFileRegion(new File("/dev/zero"), 0, 1));
        channel.write(LastHttpContent.EMPTY_LAST_CONTENT);
        assertFalse(gate.isAtRest());
        channel.flush();
        assertTrue(gate.isAtRest());
    }

    @Test
    void aReaderThatAsksForEachReadIsReadOnUntilThereIsAMessage() {
        open();
        channel.config().setAutoRead(false);
        List<Object> reads = new ArrayList<>();
        channel.pipeline().addFirst(new ChannelOutboundHandlerAdapter() {
            @Override
            public void read(ChannelHandlerContext ctx) {
                reads.add(ctx);
            }
        });
        send("GET /a HTTP/1.1\r\n");
        assertEquals(1, reads.size());
        send("\r\n");
        assertEquals(1, reads.size());
        answer();

        // While it is shut, no request begins, so nobody reads for one; that is made good afterwards.
        gate.shut();
        send("GET /b HTTP/1.1\r\n");
        assertEquals(1, reads.size());
        openAgain();
        assertEquals(2, reads.size());
        send("\r\n");
        assertEquals(2, requests.size());
        assertEquals(2, reads.size());
        assertFalse(channel.config().isAutoRead());
        answer();
    }

    @Test
    void shutItReadsTheRestOfAMessageForAReaderThatAsksForEachRead() {
        open();
        channel.config().setAutoRead(false);
        List<Object> reads = new ArrayList<>();
        channel.pipeline().addFirst(new ChannelOutboundHandlerAdapter() {
            @Override
            public void read(ChannelHandlerContext ctx) {
                reads.add(ctx);
            }
        });
        send("POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n");
        int before = reads.size();
        gate.shut();
        send("5");
        assertTrue(reads.size() > before);
        // What it has no room for stays in the kernel.
        send("\r\n12345\r\n0\r\n\r\n" + "x".repeat(ProtocolConnection.MAX_KEPT + 1));
        int after = reads.size();
        send("x");
        assertEquals(after, reads.size());
    }

    @Test
    void halfARequestIsForgottenByTheProcessThatHandedItOver() {
        open();
        gate.shut();
        send(GET);
        channel.pipeline().fireUserEventTriggered(HandoverEvent.HANDED_OVER);
        channel.close();
        assertEquals(List.of(), requests);
    }

    @Test
    void whatWasKeptIsServedWhenThePeerHangsUp() {
        open();
        gate.shut();
        send(GET);
        channel.close();
        assertEquals(List.of("GET /a "), requests);
    }

    @Test
    void anUnknownUpgradeIsImmovable() {
        open();
        send("GET /a HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n");
        channel.writeOutbound(
                new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.SWITCHING_PROTOCOLS));
        channel.pipeline().remove(HttpServerCodec.class);
        channel.pipeline().remove(HttpObjectAggregator.class);
        channel.pipeline().removeLast();
        assertEquals("HTTP upgraded to an unknown protocol", gate.whyImmovable());
        send("anything");
        assertEquals("anything", ((ByteBuf) channel.readInbound()).toString(US_ASCII));
    }
}
