package io.escrow.handover;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.tls.MovableTls;
import io.escrow.testing.Certificates;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpServerKeepAliveHandler;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.codec.http2.Http2FrameCodecBuilder;
import io.netty.handler.codec.http2.Http2MultiplexHandler;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ApplicationProtocolNegotiationHandler;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.handler.ssl.SslProvider;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.nio.file.Path;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** HTTP/1.1 and WebSocket above TLS move as in plaintext. */
class TlsHttpTest {

    private static final int HANDOVERS = 5;

    @TempDir
    Path directory;

    private final AtomicInteger handshakes = new AtomicInteger();
    private SslContext context;
    private SSLContext clientContext;

    @BeforeEach
    void makeContexts() throws Exception {
        context = TlsHarness.context(SslProvider.JDK)
                .applicationProtocolConfig(new ApplicationProtocolConfig(
                        ApplicationProtocolConfig.Protocol.ALPN,
                        ApplicationProtocolConfig.SelectorFailureBehavior.NO_ADVERTISE,
                        ApplicationProtocolConfig.SelectedListenerFailureBehavior.ACCEPT,
                        "h2",
                        "http/1.1"))
                .build();
        clientContext = SSLContext.getInstance("TLS");
        clientContext.init(null, Certificates.trusting(TlsHarness.SERVER).getTrustManagers(), null);
    }

    private EmbeddedServers servers(boolean byAlpn, boolean crashSafe) {
        return new EmbeddedServers(
                directory,
                crashSafe,
                channel -> initialise(channel, byAlpn),
                builder -> builder.tls(MovableTls.of(context)));
    }

    private void initialise(Channel channel, boolean byAlpn) {
        channel.pipeline().addLast(context.newHandler(channel.alloc()), new ChannelInboundHandlerAdapter() {
            @Override
            public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
                if (event == SslHandshakeCompletionEvent.SUCCESS && !ServerHandover.isAdopted(ctx.channel())) {
                    handshakes.incrementAndGet();
                }
                ctx.fireUserEventTriggered(event);
            }
        });
        if (byAlpn) {
            channel.pipeline().addLast(new ApplicationProtocolNegotiationHandler("http/1.1") {
                @Override
                protected void configurePipeline(ChannelHandlerContext ctx, String protocol) {
                    if (protocol.equals("h2")) {
                        ctx.pipeline()
                                .addLast(Http2FrameCodecBuilder.forServer().build())
                                .addLast(new Http2MultiplexHandler(new ChannelInboundHandlerAdapter()));
                    } else {
                        addHttp(ctx.channel());
                    }
                }
            });
        } else {
            addHttp(channel);
        }
    }

    private static void addHttp(Channel channel) {
        channel.pipeline()
                .addLast(new HttpServerCodec(), new HttpServerKeepAliveHandler(), new HttpObjectAggregator(1_000_000))
                .addLast(new WebSocketServerProtocolHandler("/ws", null, true))
                .addLast(new Echo(), new EchoText());
    }

    private static final class Echo extends SimpleChannelInboundHandler<FullHttpRequest> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, FullHttpRequest request) {
            DefaultFullHttpResponse response = new DefaultFullHttpResponse(
                    HttpVersion.HTTP_1_1, HttpResponseStatus.OK, Unpooled.copiedBuffer(request.content()));
            HttpUtil.setContentLength(response, response.content().readableBytes());
            ctx.writeAndFlush(response);
        }
    }

    private static final class EchoText extends SimpleChannelInboundHandler<TextWebSocketFrame> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, TextWebSocketFrame frame) {
            ctx.writeAndFlush(frame.retain());
        }
    }

    private HttpClient client(HttpClient.Version version) {
        return HttpClient.newBuilder()
                .version(version)
                .sslContext(clientContext)
                .build();
    }

    private static void assertEchoes(HttpClient client, EmbeddedServers servers, int seed) throws Exception {
        byte[] body = Peer.bytes(100_000, seed);
        HttpResponse<byte[]> response = client.send(
                HttpRequest.newBuilder(servers.uri("https", "/"))
                        .POST(BodyPublishers.ofByteArray(body))
                        .build(),
                BodyHandlers.ofByteArray());
        assertEquals(200, response.statusCode());
        assertArrayEquals(body, response.body());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void oneConnectionServesAllRequests(boolean byAlpn) throws Exception {
        try (EmbeddedServers servers = servers(byAlpn, false)) {
            HttpClient client = client(HttpClient.Version.HTTP_1_1);
            for (int i = 0; i < HANDOVERS; i++) {
                assertEchoes(client, servers, i);
                assertEquals(1, servers.next().connections());
            }
            assertEchoes(client, servers, HANDOVERS);
            assertEquals(1, handshakes.get());
        }
    }

    /** Keeps what comes. */
    private static final class Texts implements WebSocket.Listener {
        private final BlockingQueue<String> texts = new LinkedBlockingQueue<>();

        @Override
        public CompletionStage<?> onText(WebSocket socket, CharSequence data, boolean last) {
            texts.add(data.toString());
            socket.request(1);
            return null;
        }

        @Override
        public void onError(WebSocket socket, Throwable error) {
            texts.add(error.toString());
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void webSocketMoves(boolean crashSafe) throws Exception {
        try (EmbeddedServers servers = servers(true, crashSafe)) {
            Texts texts = new Texts();
            WebSocket socket = client(HttpClient.Version.HTTP_1_1)
                    .newWebSocketBuilder()
                    .buildAsync(servers.uri("wss", "/ws"), texts)
                    .get(10, TimeUnit.SECONDS);
            for (int i = 0; i <= HANDOVERS; i++) {
                socket.sendText("text " + i, true).get(10, TimeUnit.SECONDS);
                assertEquals("text " + i, texts.texts.poll(10, TimeUnit.SECONDS));
                if (i < HANDOVERS) {
                    assertEquals(1, servers.next().connections());
                }
            }
            assertEquals(1, handshakes.get());
        }
    }

    @Test
    void http2StaysAndEndsWithItsOwnWord() throws Exception {
        try (EmbeddedServers servers = servers(true, false)) {
            byte[] preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(UTF_8);
            try (TlsPeer peer =
                    new TlsPeer(new InetSocketAddress(InetAddress.getLoopbackAddress(), servers.port()), engine())) {
                // With an empty frame of SETTINGS.
                peer.send(preface);
                peer.send(new byte[] {0, 0, 0, 4, 0, 0, 0, 0, 0});
                // The acknowledgement comes behind the settings of the server.
                peer.awaitReceived(9 + 9);
                HandoverReport report = servers.handOverAndStart();
                String reason = report.staying().get(0).reason();
                assertTrue(reason.startsWith("HTTP/2"), reason);
            }
        }
    }

    private SSLEngine engine() {
        SSLEngine engine = clientContext.createSSLEngine("localhost", 1);
        SSLParameters parameters = engine.getSSLParameters();
        parameters.setApplicationProtocols(new String[] {"h2"});
        engine.setSSLParameters(parameters);
        return engine;
    }
}
