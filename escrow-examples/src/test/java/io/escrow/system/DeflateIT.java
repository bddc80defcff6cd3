package io.escrow.system;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.JarProcess;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolConfig;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolHandler;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketClientExtensionHandler;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketExtensionDecoder;
import io.netty.handler.codec.http.websocketx.extensions.compression.PerMessageDeflateClientExtensionHandshaker;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Hands WebSockets over from process to process whose clients never stop to send compressed messages, and kills one. */
class DeflateIT {

    private static final int CLIENTS = 10;
    private static final int MAX_MESSAGE = 1 << 20;

    @TempDir
    private Path directory;

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final List<Client> clients = new ArrayList<>();
    private int port;

    @AfterEach
    void endClients() {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    /** Sends a message for each answer. What is in it was in those before, if it is not the first of its kind. */
    private static final class Client extends SimpleChannelInboundHandler<TextWebSocketFrame> {
        private final Random random;
        private final String words;
        private String said;
        private final AtomicInteger answers = new AtomicInteger();
        private volatile String failure;
        private volatile Channel channel;

        Client(int seed) {
            random = new Random(seed);
            words = random.ints(20_000, ' ', '~')
                    .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                    .toString();
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event == WebSocketClientProtocolHandler.ClientHandshakeStateEvent.HANDSHAKE_COMPLETE) {
                say(ctx);
            }
        }

        private void say(ChannelHandlerContext ctx) {
            int from = random.nextInt(words.length() - 1);
            said = words.substring(from, Math.min(words.length(), from + 1 + random.nextInt(5_000)));
            ctx.writeAndFlush(new TextWebSocketFrame(said));
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, TextWebSocketFrame frame) {
            if (!frame.text().equals(said)) {
                failure = "message " + answers + " was answered with something else";
            }
            answers.incrementAndGet();
            ctx.executor().schedule(() -> say(ctx), 1, TimeUnit.MILLISECONDS);
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            failure = cause.toString();
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            failure = "closed";
        }
    }

    private void connect(boolean noContext) {
        WebSocketClientProtocolConfig config = WebSocketClientProtocolConfig.newBuilder()
                .webSocketUri("ws://127.0.0.1:" + port + "/")
                .allowExtensions(true)
                .maxFramePayloadLength(MAX_MESSAGE)
                .build();
        Client client = new Client(clients.size());
        clients.add(client);
        client.channel = new Bootstrap()
                .group(group)
                .channel(EpollSocketChannel.class)
                .handler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel ch) {
                        ch.pipeline()
                                .addLast(
                                        new HttpClientCodec(),
                                        new HttpObjectAggregator(1024),
                                        new WebSocketClientExtensionHandler(
                                                new PerMessageDeflateClientExtensionHandshaker(
                                                        6, false, 15, noContext, noContext, 0)),
                                        new WebSocketClientProtocolHandler(config),
                                        client);
                    }
                })
                .connect(InetAddress.getLoopbackAddress(), port)
                .syncUninterruptibly()
                .channel();
    }

    private JarProcess start(String mode) throws Exception {
        return JarProcess.main(DeflateServer.class, directory.resolve("s").toString(), mode);
    }

    private void connectAll(String line) {
        port = Integer.parseInt(line.split(" ", -1)[1]);
        for (int i = 0; i < CLIENTS; i++) {
            connect(i % 2 == 1);
        }
        awaitAnswers(clients);
        clients.forEach(client -> assertNotNull(client.channel.pipeline().get(WebSocketExtensionDecoder.class)));
    }

    private static void awaitAnswers(List<Client> some) {
        List<Integer> targets =
                some.stream().map(client -> client.answers.get() + 20).toList();
        await().atMost(60, TimeUnit.SECONDS).until(() -> {
            for (int i = 0; i < some.size(); i++) {
                assertEquals(null, some.get(i).failure);
                if (some.get(i).answers.get() < targets.get(i)) {
                    return false;
                }
            }
            return true;
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"at-once", "waves", "crash-safe"})
    void noMessageIsLostOrWrong(String mode) throws Exception {
        try (JarProcess daemon = JarProcess.escrowd(directory.resolve("s"))) {
            JarProcess current = start(mode);
            try {
                connectAll(current.awaitLine(DeflateServer.SERVING));
                for (int i = 0; i < 3; i++) {
                    JarProcess next = start(mode);
                    try {
                        next.nextWith("waiting for the session");
                        current.terminate();
                        String report = current.awaitLine(DeflateServer.HANDED_OVER);
                        assertTrue(report.contains("staying=[]"), report);
                    } finally {
                        current.close();
                        current = next;
                    }
                    String report = next.awaitLine(DeflateServer.SERVING);
                    assertTrue(report.contains(" adopted=" + CLIENTS + ","), report);
                    awaitAnswers(clients);
                }
            } finally {
                current.close();
            }
            assertTrue(daemon.isAlive());
        }
    }

    /** Those that have no window to lose go on, unless they were in the middle of a message; the others are reset. */
    @Test
    void aWindowThatIsLostIsNeverGuessed() throws Exception {
        try (JarProcess daemon = JarProcess.escrowd(directory.resolve("s"))) {
            try (JarProcess first = start("crash-safe")) {
                connectAll(first.awaitLine(DeflateServer.SERVING));
                first.kill();
            }
            try (JarProcess next = start("crash-safe")) {
                String report = next.awaitLine(DeflateServer.SERVING);
                assertEquals(CLIENTS / 2, report.split("the window of its peer", -1).length - 1, report);
                await().atMost(60, TimeUnit.SECONDS)
                        .until(() -> clients.stream()
                                .noneMatch(client -> clients.indexOf(client) % 2 == 0 && client.channel.isActive()));
                assertTrue(clients.stream()
                        .allMatch(client -> client.failure == null
                                || client.failure.equals("closed")
                                || client.failure.contains("reset")));
            }
            assertTrue(daemon.isAlive());
        }
    }
}
