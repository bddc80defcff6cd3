package io.escrow.handover;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.escrow.handover.protocol.Movable;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrameAggregator;
import io.netty.handler.codec.http.websocketx.WebSocketServerHandshakerFactory;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.codec.http.websocketx.extensions.compression.WebSocketServerCompressionHandler;
import io.netty.util.ReferenceCountUtil;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WebSocketHandoverTest {

    private static final int CLIENTS = 20;
    private static final int HANDOVERS = 10;

    @TempDir
    Path directory;

    private final AtomicInteger handshakes = new AtomicInteger();

    private EmbeddedServers servers(boolean crashSafe) throws Exception {
        return new EmbeddedServers(directory, crashSafe, this::initialize);
    }

    private void initialize(Channel channel) {
        channel.pipeline()
                .addLast(new HttpServerCodec())
                .addLast("aggregator", new HttpObjectAggregator(10_000))
                .addLast(new WebSocketServerCompressionHandler(0))
                .addLast(new WebSocketServerProtocolHandler("/ws", "numbers", true))
                .addLast(new WebSocketFrameAggregator(10_000), new Counter());
    }

    /** Answers each message with its number and its text. */
    private final class Counter extends SimpleChannelInboundHandler<TextWebSocketFrame> implements Movable {
        private int count;

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, TextWebSocketFrame msg) {
            ctx.writeAndFlush(new TextWebSocketFrame(count++ + " " + msg.text()));
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event instanceof WebSocketServerProtocolHandler.HandshakeComplete done
                    && !ServerHandover.isRestoring(ctx.channel())) {
                assertEquals("numbers", done.selectedSubprotocol());
                handshakes.incrementAndGet();
            }
        }

        @Override
        public String section() {
            return "count";
        }

        @Override
        public void save(ChannelHandlerContext ctx, ByteBuf out) {
            out.writeInt(count);
        }

        @Override
        public void restore(ChannelHandlerContext ctx, ByteBuf in) {
            count = in.readInt();
        }
    }

    /** Sends a message for each answer, and checks the answers. */
    private static final class Client implements WebSocket.Listener {
        private final StringBuilder text = new StringBuilder();
        private volatile boolean talking = true;
        private final AtomicInteger sent = new AtomicInteger();
        private CompletableFuture<WebSocket> sending = CompletableFuture.completedFuture(null);
        private final AtomicInteger received = new AtomicInteger();
        private volatile String failure;

        @Override
        public void onOpen(WebSocket socket) {
            WebSocket.Listener.super.onOpen(socket);
            send(socket);
        }

        private synchronized void send(WebSocket socket) {
            // In fragments, now and then.
            int number = sent.getAndIncrement();
            String message = "message " + number;
            int cut = number % 3 == 0 ? 3 : 0;
            // An answer may be here before the JDK knows that what it answers is sent; then it would refuse the next.
            sending = sending.thenCompose(last -> cut == 0
                            ? CompletableFuture.completedFuture(socket)
                            : socket.sendText(message.substring(0, cut), false))
                    .thenCompose(s -> s.sendText(message.substring(cut), true))
                    .whenComplete((s, problem) -> {
                        if (problem != null) {
                            failure = problem.toString();
                        }
                    });
        }

        @Override
        public CompletionStage<?> onText(WebSocket socket, CharSequence data, boolean last) {
            text.append(data);
            if (last) {
                String expected = received + " message " + received;
                if (!text.toString().equals(expected)) {
                    failure = text + " (expected: " + expected + ")";
                }
                text.setLength(0);
                if (talking) {
                    send(socket);
                }
                // Last, so that as many are received as sent only when no more is to be sent.
                received.incrementAndGet();
            }
            socket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onClose(WebSocket socket, int status, String reason) {
            failure = "closed: " + status + " " + reason;
            return null;
        }

        @Override
        public void onError(WebSocket socket, Throwable error) {
            failure = error.toString();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void noMessageIsLost(boolean crashSafe) throws Exception {
        try (EmbeddedServers servers = servers(crashSafe)) {
            List<Client> clients = connect(servers, CLIENTS);
            for (int i = 0; i < HANDOVERS; i++) {
                awaitAnswers(clients, 20);
                assertEquals(CLIENTS, servers.next().connections());
            }
            awaitAnswers(clients, 20);
            assertEquals(CLIENTS, handshakes.get());
            silence(clients);
        }
    }

    @Test
    void aCrashBetweenMessagesLosesNothing() throws Exception {
        try (EmbeddedServers servers = servers(true)) {
            List<Client> clients = connect(servers, 1);
            for (int i = 0; i < 3; i++) {
                silence(clients);
                // The count is application state: it is as fresh as the last checkpoint.
                Channel channel = servers.current()
                        .context()
                        .connections()
                        .all()
                        .iterator()
                        .next()
                        .channel();
                servers.current().checkpoint(channel).get();
                servers.crash();
                assertEquals(1, servers.current().startReport().foundAfterCrash());
                clients.get(0).talking = true;
                clients.get(0).send(sockets.get(0));
                awaitAnswers(clients, 10);
            }
            silence(clients);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void anUpgradeMayBeDecidedAboutLater(boolean crashSafe) throws Exception {
        try (EmbeddedServers servers = new EmbeddedServers(directory, crashSafe, channel -> {
            initialize(channel);
            channel.pipeline().addAfter("aggregator", null, new ChannelInboundHandlerAdapter() {
                @Override
                public void channelRead(ChannelHandlerContext ctx, Object msg) {
                    if (msg instanceof FullHttpRequest) {
                        ctx.executor().schedule(() -> ctx.fireChannelRead(msg), 20, TimeUnit.MILLISECONDS);
                    } else {
                        ctx.fireChannelRead(msg);
                    }
                }
            });
        })) {
            List<Client> clients = connect(servers, 2);
            for (int i = 0; i < 3; i++) {
                awaitAnswers(clients, 5);
                assertEquals(2, servers.next().connections());
            }
            assertEquals(2, handshakes.get());
            silence(clients);
        }
    }

    /** As Reactor Netty does: what waits for the end of the request, a timeout, is another handler's when it is upgraded. */
    @Test
    void theEndOfTheRequestComesBeforeTheUpgradeIsDone() throws Exception {
        List<String> seen = new CopyOnWriteArrayList<>();
        AtomicInteger answers = new AtomicInteger();
        try (EmbeddedServers servers = new EmbeddedServers(
                directory,
                false,
                channel -> channel.pipeline()
                        .addLast(
                                new HttpServerCodec(),
                                new WebSocketFrameAggregator(10_000),
                                new AtOnce(seen, answers)))) {
            Client client = new Client();
            HttpClient.newHttpClient()
                    .newWebSocketBuilder()
                    .buildAsync(servers.uri("ws", "/ws"), client)
                    .join();
            awaitAnswers(List.of(client), 5);
            seen.clear();
            assertEquals(1, servers.next().connections());
            assertEquals(List.of("end", "upgraded"), seen);
            awaitAnswers(List.of(client), 5);
            silence(List.of(client));
        }
    }

    /** Answers an upgrade when the head of its request has come. */
    private static final class AtOnce extends ChannelInboundHandlerAdapter {
        private final List<String> seen;
        private final AtomicInteger answers;

        AtOnce(List<String> seen, AtomicInteger answers) {
            this.seen = seen;
            this.answers = answers;
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            if (msg instanceof HttpRequest request) {
                DefaultFullHttpRequest whole =
                        new DefaultFullHttpRequest(request.protocolVersion(), request.method(), request.uri());
                whole.headers().set(request.headers());
                new WebSocketServerHandshakerFactory("ws://h/ws", null, false)
                        .newHandshaker(request)
                        .handshake(ctx.channel(), whole)
                        .addListener(done -> seen.add("upgraded"));
                whole.release();
            } else if (msg instanceof LastHttpContent) {
                seen.add("end");
            } else if (msg instanceof TextWebSocketFrame frame) {
                ctx.writeAndFlush(new TextWebSocketFrame(answers.getAndIncrement() + " " + frame.text()));
            }
            ReferenceCountUtil.release(msg);
        }
    }

    @Test
    void compressionOfEachFrameStaysAndIsDrained() throws Exception {
        try (EmbeddedServers servers = servers(false);
                Socket socket = new Socket(InetAddress.getLoopbackAddress(), servers.port())) {
            String request = String.join(
                    "\r\n",
                    "GET /ws HTTP/1.1",
                    "Host: h",
                    "Connection: Upgrade",
                    "Upgrade: websocket",
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                    "Sec-WebSocket-Version: 13",
                    "Sec-WebSocket-Protocol: numbers",
                    "Sec-WebSocket-Extensions: x-webkit-deflate-frame",
                    "",
                    "");
            socket.getOutputStream().write(request.getBytes(US_ASCII));
            await().until(() -> handshakes.get() == 1);
            ServerHandover old = servers.current();
            HandoverReport report = servers.handOverAndStart();
            assertEquals(
                    List.of("WebSocket with compression (PerFrameDeflateEncoder)"),
                    report.staying().stream()
                            .map(HandoverReport.Staying::reason)
                            .toList());
            assertFalse(old.drained().isDone());
            // The server ends a WebSocket whose peer sends no more.
            socket.shutdownOutput();
            old.drained().get();
        }
    }

    private final List<WebSocket> sockets = new ArrayList<>();

    private List<Client> connect(EmbeddedServers servers, int count) {
        HttpClient http = HttpClient.newHttpClient();
        List<Client> clients = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Client client = new Client();
            sockets.add(http.newWebSocketBuilder()
                    .subprotocols("other", "numbers")
                    .buildAsync(servers.uri("ws", "/ws"), client)
                    .join());
            clients.add(client);
        }
        return clients;
    }

    private static void awaitAnswers(List<Client> clients, int more) {
        List<Integer> targets =
                clients.stream().map(c -> c.received.get() + more).toList();
        await().until(() -> {
            for (int i = 0; i < clients.size(); i++) {
                assertNull(clients.get(i).failure);
                if (clients.get(i).received.get() < targets.get(i)) {
                    return false;
                }
            }
            return true;
        });
    }

    /** Lets the clients stop talking, and waits for the last answers. */
    private static void silence(List<Client> clients) {
        clients.forEach(client -> client.talking = false);
        await().until(() -> clients.stream().allMatch(client -> client.received.get() == client.sent.get()));
        clients.forEach(client -> assertNull(client.failure));
    }
}
