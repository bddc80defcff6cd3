package io.escrow.vertx;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.EventLoopGroups;
import io.netty.channel.ChannelException;
import io.netty.channel.ChannelFactory;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.handler.codec.http.HttpContentCompressor;
import io.netty.util.concurrent.SingleThreadEventExecutor;
import io.vertx.core.Vertx;
import io.vertx.core.net.NetServer;
import io.vertx.core.net.NetServerOptions;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class EscrowVertxTransportTest {

    private static final String LOOPBACK = "127.0.0.1";

    private final Queue<EpollServerSocketChannel> made = new ConcurrentLinkedQueue<>();
    /** Done when it is this process's turn. */
    private final CompletableFuture<Void> turn = new CompletableFuture<>();

    private final ChannelFactory<EpollServerSocketChannel> listener = () -> {
        turn.join();
        EpollServerSocketChannel channel = new EpollServerSocketChannel();
        made.add(channel);
        return channel;
    };
    private Vertx vertx;

    @AfterEach
    void close() {
        turn.complete(null);
        if (vertx != null) {
            vertx.close().toCompletionStage().toCompletableFuture().join();
        }
    }

    private void start(ListenerSources sources) {
        vertx = Vertx.builder()
                .withTransport(new EscrowVertxTransport(new EscrowEpollTransport(sources)))
                .build();
    }

    private NetServer server() {
        return vertx.createNetServer().connectHandler(socket -> socket.handler(socket::write));
    }

    private static <T> CompletableFuture<T> future(io.vertx.core.Future<T> future) {
        return future.toCompletionStage().toCompletableFuture();
    }

    /** Listens as a verticle does: on an event loop. */
    private CompletableFuture<NetServer> listen(NetServer server, int port) {
        CompletableFuture<NetServer> listening = new CompletableFuture<>();
        vertx.runOnContext(nothing ->
                server.listen(port, LOOPBACK).onComplete(listening::complete, listening::completeExceptionally));
        return listening;
    }

    private static void echo(int port) throws IOException {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.getOutputStream().write(new byte[] {1, 2, 3});
            assertEquals(3, socket.getInputStream().readNBytes(3).length);
        }
    }

    /** The library lists it by name, so that its writes are not watched. */
    @Test
    void compressorThatKeepsNothingBackIsCalledAsTheLibraryKnowsIt() throws ClassNotFoundException {
        start(ListenerSources.one("http", name -> listener));
        Class<?> compressor = Class.forName("io.vertx.core.http.impl.http1.HttpChunkContentCompressor");
        assertTrue(HttpContentCompressor.class.isAssignableFrom(compressor));
    }

    @Test
    void nothingElseWaitsForTheTurn() throws Exception {
        int handedOver = freePort();
        start(ListenerSources.byPort(Map.of(handedOver, "http"), name -> listener));
        CompletableFuture<NetServer> listening = listen(server(), handedOver);
        // The event loops run, and so do other servers.
        for (int i = 0; i < Runtime.getRuntime().availableProcessors() * 2; i++) {
            future(vertx.timer(1)).get();
        }
        echo(listen(server(), 0).get().actualPort());
        assertFalse(listening.isDone());
        turn.complete(null);
        assertEquals(handedOver, listening.get().actualPort());
        echo(handedOver);
        assertEquals(1, made.size());
    }

    @Test
    void connectionsAreSpreadOverAllThatListen() throws Exception {
        int port = freePort();
        start(ListenerSources.one("http", name -> listener));
        Map<String, Integer> connections = new ConcurrentHashMap<>();
        CompletableFuture<?>[] all = new CompletableFuture<?>[2];
        for (int i = 0; i < all.length; i++) {
            String name = "server " + i;
            NetServer server =
                    vertx.createNetServer().connectHandler(socket -> connections.merge(name, 1, Integer::sum));
            all[i] = listen(server, port);
        }
        turn.complete(null);
        CompletableFuture.allOf(all).get();
        for (int i = 0; i < 4; i++) {
            try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
                assertTrue(socket.isConnected());
                int expected = i + 1;
                await().until(() ->
                        connections.values().stream().mapToInt(n -> n).sum() == expected);
            }
        }
        assertEquals(Map.of("server 0", 2, "server 1", 2), connections);
        assertEquals(1, made.size());
    }

    @Test
    void optionsReachTheListener() throws Exception {
        turn.complete(null);
        start(ListenerSources.one("http", name -> listener));
        NetServer server = vertx.createNetServer(
                        new NetServerOptions().setAcceptBacklog(77).setReusePort(true))
                .connectHandler(socket -> {});
        listen(server, 0).get();
        assertEquals(77, made.element().config().getBacklog());
        assertTrue(made.element().config().getOption(EpollChannelOption.SO_REUSEPORT));
    }

    @Test
    void closingTheServerClosesTheListener() throws Exception {
        turn.complete(null);
        start(ListenerSources.one("http", name -> listener));
        NetServer server = server();
        listen(server, 0).get();
        future(server.close()).get();
        assertFalse(made.element().isOpen());
    }

    @Test
    void aServerThatIsClosedBeforeItsTurnBindsNothing() throws Exception {
        int port = freePort();
        start(ListenerSources.one("http", name -> listener));
        CompletableFuture<NetServer> listening = listen(server(), port);
        future(vertx.close()).get(10, TimeUnit.SECONDS);
        turn.complete(null);
        await().until(() -> made.stream().noneMatch(EpollServerSocketChannel::isOpen));
        assertFalse(listening.isDone() && !listening.isCompletedExceptionally());
    }

    /** The turn comes in the last moment: the event loop still does what it is asked to, but closes nothing any more. */
    @Test
    void aListenerThatIsMadeWhenTheEventLoopEndsIsClosed() {
        EventLoopGroup group = EventLoopGroups.epoll(1);
        DeferredServerChannel channel = new DeferredServerChannel(address -> listener);
        group.register(channel).syncUninterruptibly();
        channel.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        SingleThreadEventExecutor loop = (SingleThreadEventExecutor) channel.eventLoop();
        loop.execute(() -> {
            group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
            int before = loop.pendingTasks();
            turn.complete(null);
            await().until(() -> loop.pendingTasks() > before);
        });
        await().until(loop::isTerminated);
        assertEquals(1, made.size());
        await().until(() -> !made.element().isOpen());
    }

    @Test
    void whenTheListenerIsHandedOverItsPortIsFreeForVertx() throws Exception {
        turn.complete(null);
        start(address -> listener);
        int port = listen(server(), 0).get().actualPort();
        made.element().close().get();
        // Vert.x would give a server that it believes to listen on the port its connections otherwise.
        assertEquals(port, listen(server(), port).get().actualPort());
        assertEquals(2, made.size());
        echo(port);
    }

    @Test
    void aSecondServerIsRefused() throws Exception {
        turn.complete(null);
        start(ListenerSources.one("http", name -> listener));
        listen(server(), 0).get();
        ExecutionException refused =
                assertThrows(ExecutionException.class, () -> listen(server(), 0).get());
        assertTrue(refused.getMessage().contains("the transport has one listener, http"), refused.getMessage());
    }

    @Test
    void whatFailsTheTurnFailsTheServer() {
        turn.completeExceptionally(new ChannelException("the escrow is gone"));
        start(ListenerSources.one("http", name -> listener));
        ExecutionException failure =
                assertThrows(ExecutionException.class, () -> listen(server(), 0).get());
        assertTrue(failure.getMessage().contains("the escrow is gone"), failure.getMessage());
    }

    @Test
    void portsAreChecked() {
        start(address -> listener);
        assertThrows(IllegalArgumentException.class, () -> ListenerSources.byPort(Map.of(), name -> listener));
        assertThrows(
                IllegalArgumentException.class, () -> ListenerSources.byPort(Map.of(65_536, "http"), name -> listener));
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }
}
