package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.EventLoopGroups;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolConfig;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolHandler;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketClientExtensionHandler;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketExtensionDecoder;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketExtensionFilter;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketExtensionFilterProvider;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketServerExtensionHandler;
import io.netty.handler.codec.http.websocketx.extensions.compression.PerMessageDeflateClientExtensionHandshaker;
import io.netty.handler.codec.http.websocketx.extensions.compression.PerMessageDeflateServerExtensionHandshaker;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Moves WebSockets with permessage-deflate, whose messages refer to those before. */
class WebSocketDeflateTest {

    private static final int LIMIT = 65_536;
    private static final int CHAPTERS = 20;
    private static final String GREETING = "welcome";

    @TempDir
    Path directory;

    private final EventLoopGroup group = EventLoopGroups.epoll(1);
    private final List<String> book = book();
    private final Queue<String> received = new ConcurrentLinkedQueue<>();

    /** What the server has agreed to. */
    private boolean compresses = true;

    /** Lets binary messages pass the decoder as they are. */
    private boolean filters;

    private int decoderLimit;
    private boolean noContext;
    private int told;

    @AfterEach
    void endClients() {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    /** Texts that are short only for those who know them already. */
    private static List<String> book() {
        Random random = new Random(3);
        return random.ints(CHAPTERS, 1_000, 2_000)
                .mapToObj(length -> random.ints(length, ' ', '~')
                        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                        .toString())
                .toList();
    }

    @SuppressWarnings("deprecation") // Netty 4.1 has no other
    private void initialize(Channel channel) {
        channel.pipeline().addLast(new HttpServerCodec(), new HttpObjectAggregator(LIMIT));
        if (compresses) {
            channel.pipeline()
                    .addLast(new WebSocketServerExtensionHandler(new PerMessageDeflateServerExtensionHandshaker(
                            6, false, 15, noContext, noContext, filter(), decoderLimit)));
        }
        channel.pipeline().addLast(new WebSocketServerProtocolHandler("/", null, true, LIMIT), new Greeter());
    }

    private WebSocketExtensionFilterProvider filter() {
        return new WebSocketExtensionFilterProvider() {
            @Override
            public WebSocketExtensionFilter encoderFilter() {
                return WebSocketExtensionFilter.NEVER_SKIP;
            }

            @Override
            public WebSocketExtensionFilter decoderFilter() {
                return frame -> filters && frame instanceof BinaryWebSocketFrame;
            }
        };
    }

    /** Greets each time the connection becomes a WebSocket, and answers with what was said. */
    private static final class Greeter extends SimpleChannelInboundHandler<TextWebSocketFrame> {
        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof WebSocketServerProtocolHandler.HandshakeComplete) {
                ctx.writeAndFlush(new TextWebSocketFrame(GREETING));
            }
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, TextWebSocketFrame frame) {
            ctx.writeAndFlush(new TextWebSocketFrame(frame.text()));
        }
    }

    private final class Client extends SimpleChannelInboundHandler<TextWebSocketFrame> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, TextWebSocketFrame frame) {
            received.add(frame.text());
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            received.add(cause.toString());
        }
    }

    private Channel connect(EmbeddedServers servers) {
        WebSocketClientProtocolConfig config = WebSocketClientProtocolConfig.newBuilder()
                .webSocketUri(servers.uri("ws", "/"))
                .allowExtensions(true)
                .maxFramePayloadLength(LIMIT)
                .build();
        Channel client = new Bootstrap()
                .group(group)
                .channel(EpollSocketChannel.class)
                .handler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        channel.pipeline()
                                .addLast(
                                        new HttpClientCodec(),
                                        new HttpObjectAggregator(LIMIT),
                                        new WebSocketClientExtensionHandler(
                                                new PerMessageDeflateClientExtensionHandshaker(
                                                        6, false, 15, noContext, noContext, 0)),
                                        new WebSocketClientProtocolHandler(config),
                                        new Client());
                    }
                })
                .connect(InetAddress.getLoopbackAddress(), servers.port())
                .syncUninterruptibly()
                .channel();
        await().until(() -> !received.isEmpty());
        assertEquals(GREETING, received.poll());
        assertTrue(client.pipeline().get(WebSocketExtensionDecoder.class) != null);
        return client;
    }

    private void assertTalks(Channel client, int messages) {
        for (int i = 0; i < messages; i++) {
            String text = i % 5 == 4 ? GREETING : book.get(told++ % CHAPTERS);
            client.writeAndFlush(new TextWebSocketFrame(text));
            await().until(() -> !received.isEmpty());
            assertEquals(text, received.poll());
        }
        assertNull(received.poll());
    }

    @ParameterizedTest
    @CsvSource({"false, false, 0", "true, false, 0", "false, true, 0", "true, true, 0", "false, false, 10000"})
    void connectionsMoveAgainAndAgain(boolean crashSafe, boolean withoutContext, int limit) {
        noContext = withoutContext;
        decoderLimit = limit;
        try (EmbeddedServers servers = new EmbeddedServers(directory, crashSafe, this::initialize)) {
            Channel client = connect(servers);
            for (int i = 0; i < 10; i++) {
                assertEquals(1, servers.next().connections());
                assertTalks(client, 3 * i);
            }
            client.close().syncUninterruptibly();
        }
    }

    @Test
    void aVersionThatDoesNotCompressLeavesTheConnectionToOneThatDoes() {
        try (EmbeddedServers servers = new EmbeddedServers(directory, false, this::initialize)) {
            Channel client = connect(servers);
            assertTalks(client, CHAPTERS);
            compresses = false;
            servers.handOverAndStart();
            assertEquals(1, servers.current().startReport().left().size());
            compresses = true;
            servers.handOverAndStart();
            assertEquals(1, servers.current().startReport().adopted());
            assertTalks(client, CHAPTERS);
            client.close().syncUninterruptibly();
        }
    }

    @Test
    void aVersionWhoseDecoderIsTooNarrowLeavesTheConnection() {
        try (EmbeddedServers servers = new EmbeddedServers(directory, false, this::initialize)) {
            Channel client = connect(servers);
            assertTalks(client, CHAPTERS);
            decoderLimit = 100;
            servers.handOverAndStart();
            assertTrue(servers.current().startReport().left().get(0).contains("did not take the window"));
            client.close().syncUninterruptibly();
        }
    }

    @Test
    void aDecoderThatDoesNotGiveItsWindowAwayKeepsItsConnection() {
        filters = true;
        try (EmbeddedServers servers = new EmbeddedServers(directory, false, this::initialize)) {
            Channel client = connect(servers);
            assertTalks(client, CHAPTERS);
            HandoverReport report = servers.handOverAndStart();
            assertEquals(
                    "WebSocket with compression, whose decoder does not give its window away",
                    report.staying().get(0).reason());
            assertTalks(client, CHAPTERS);
            client.close().syncUninterruptibly();
        }
    }

    @ParameterizedTest
    @CsvSource({"false, false", "false, true", "true, false", "true, true"})
    void whatIsTakenOverDoesNotOutliveACrash(boolean withoutContext, boolean moved) throws Exception {
        noContext = withoutContext;
        try (EmbeddedServers servers = new EmbeddedServers(directory, true, this::initialize)) {
            Channel client = connect(servers);
            assertTalks(client, CHAPTERS);
            if (moved) {
                servers.next();
            }
            servers.crash();
            StartReport report = servers.current().startReport();
            if (withoutContext) {
                assertEquals(1, report.foundAfterCrash());
                assertTalks(client, CHAPTERS);
            } else {
                assertEquals(0, report.foundAfterCrash());
                assertTrue(report.refused().get(0).contains("the window of its peer"));
                client.closeFuture().syncUninterruptibly();
            }
            client.close().syncUninterruptibly();
        }
    }
}
