package io.escrow.reactor;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.client.EscrowClient;
import io.escrow.handover.HandoverReport;
import io.escrow.handover.HandoverTransport;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.ServerHandoverBuilder;
import io.escrow.handover.tls.MovableTls;
import io.escrow.testing.Certificates;
import io.escrow.testing.InMemoryEscrow;
import io.micrometer.core.instrument.Metrics;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOutboundHandler;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.socket.DatagramChannel;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.netty.DisposableServer;
import reactor.netty.http.server.HttpServer;
import reactor.netty.resources.LoopResources;

/** Runs with whatever line of Reactor Netty is on the class path. */
class ReactorNettyHandoverTest {

    private static final Duration TIME = Duration.ofSeconds(30);

    @TempDir
    private Path directory;

    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final List<Running> all = new ArrayList<>();
    private final CompletableFuture<String> rest = new CompletableFuture<>();
    private InMemoryEscrow escrow;
    private int port;

    /** One process, so to say. */
    private record Running(HandoverTransport transport, EscrowLoopResources loops, DisposableServer server) {

        ServerHandover handover() {
            return transport.server().join();
        }

        void close() {
            transport.close();
            server.disposeNow(TIME);
            loops.disposeLater(Duration.ZERO, TIME).block(TIME);
        }
    }

    @BeforeEach
    void startEscrow() {
        escrow = InMemoryEscrow.start(directory.resolve("s"));
    }

    @AfterEach
    void closeAll() {
        all.forEach(Running::close);
        escrow.close();
    }

    private ServerHandoverBuilder builder() {
        return ServerHandover.with(
                        EscrowClient.builder().path(directory.resolve("s").toString()))
                .crashSafe(true);
    }

    private Running start(String version, UnaryOperator<HttpServer> settings) {
        return start(builder(), version, settings);
    }

    private Running start(ServerHandoverBuilder builder, String version, UnaryOperator<HttpServer> settings) {
        HandoverTransport transport = builder.transport();
        EscrowLoopResources loops = EscrowLoopResources.of(transport, "http");
        HttpServer server = HttpServer.create()
                .host("127.0.0.1")
                .port(port)
                .runOn(loops)
                .route(routes -> routes.get("/", (request, response) -> response.sendString(Mono.just(version)))
                        .get(
                                "/thread",
                                (request, response) -> response.sendString(Mono.fromSupplier(
                                        () -> Thread.currentThread().getName() + Schedulers.isInNonBlockingThread())))
                        .get(
                                "/parts",
                                (request, response) ->
                                        response.sendString(Flux.concat(Mono.just("a"), Mono.fromFuture(rest, true))))
                        .ws("/ws", (in, out) -> out.sendString(in.receive().asString())));
        Running running = new Running(transport, loops, settings.apply(server).bindNow(TIME));
        all.add(running);
        assertNotNull(running.handover());
        port = running.server().port();
        return running;
    }

    private String get(String path) throws Exception {
        return http.send(
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                                .build(),
                        BodyHandlers.ofString())
                .body();
    }

    private Echo webSocket() {
        Echo echo = new Echo();
        echo.socket = http.newWebSocketBuilder()
                .buildAsync(URI.create("ws://127.0.0.1:" + port + "/ws"), echo)
                .join();
        return echo;
    }

    private static final class Echo implements WebSocket.Listener {
        private final LinkedBlockingQueue<String> received = new LinkedBlockingQueue<>();
        private WebSocket socket;

        String echo(String message) throws InterruptedException {
            socket.sendText(message, true).join();
            return received.poll(TIME.toSeconds(), TimeUnit.SECONDS);
        }

        @Override
        public CompletionStage<?> onText(WebSocket webSocket, CharSequence text, boolean last) {
            received.add(text.toString());
            webSocket.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onClose(WebSocket webSocket, int status, String reason) {
            received.add("closed: " + status);
            return null;
        }

        @Override
        public void onError(WebSocket webSocket, Throwable error) {
            received.add("error: " + error);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void connectionWithTlsMoves(boolean sni) throws Exception {
        SslContext context = SslContextBuilder.forServer(Certificates.keys("server"))
                .sslProvider(SslProvider.JDK)
                .build();
        SSLContext trusting = SSLContext.getInstance("TLS");
        trusting.init(null, Certificates.trusting("server").getTrustManagers(), null);
        SSLSocket client = null;
        for (int i = 0; i < 3; i++) {
            String version = Integer.toString(i);
            Running running = start(
                    builder().tls(MovableTls.of(context)),
                    version,
                    server -> server.secure(ssl -> {
                        reactor.netty.tcp.SslProvider.Builder secured = ssl.sslContext(context);
                        if (sni) {
                            secured.addSniMapping("example.org", other -> other.sslContext(context));
                        }
                    }));
            if (client == null) {
                // Not a client that would connect again by itself.
                client = (SSLSocket) trusting.getSocketFactory().createSocket("127.0.0.1", port);
                client.setSoTimeout((int) TIME.toMillis());
            } else {
                assertEquals(1, running.handover().startReport().adopted());
            }
            assertEquals(version, get(client));
            if (i < 2) {
                HandoverReport report = running.transport().handOver(TIME).join();
                assertEquals(List.of(), report.staying());
                assertEquals(1, report.connections());
            }
        }
        client.close();
    }

    /** Asks for the version over a connection that is kept. */
    private static String get(SSLSocket connection) throws IOException {
        connection.getOutputStream().write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(US_ASCII));
        InputStream in = connection.getInputStream();
        StringBuilder answer = new StringBuilder();
        while (answer.indexOf("\r\n\r\n") < 0) {
            answer.append(next(in));
        }
        int head = answer.indexOf("\r\n\r\n") + 4;
        String length = answer.substring(0, head).replaceAll("(?is).*\r\ncontent-length: *(\\d+)\r\n.*", "$1");
        while (answer.length() < head + Integer.parseInt(length)) {
            answer.append(next(in));
        }
        return answer.substring(head);
    }

    private static char next(InputStream in) throws IOException {
        int next = in.read();
        if (next < 0) {
            throw new EOFException("the connection has ended");
        }
        return (char) next;
    }

    /** The library lists it by name, so that its writes are not watched. */
    @Test
    void handlerThatKeepsNothingBackIsCalledAsTheLibraryKnowsIt() throws ClassNotFoundException {
        Class<?> traffic = Class.forName("reactor.netty.http.server.HttpTrafficHandler");
        assertTrue(ChannelOutboundHandler.class.isAssignableFrom(traffic));
    }

    @Test
    void theNextServerHasTheSameConnections() throws Exception {
        Running first = start("1", server -> server);
        Echo webSocket = webSocket();
        assertEquals("1", get("/"));
        assertEquals("a", webSocket.echo("a"));
        CompletableFuture<Running> next = CompletableFuture.supplyAsync(() -> start("2", server -> server));
        assertEquals(2, first.transport().handOver(TIME).join().connections());
        assertEquals(2, next.join().handover().startReport().adopted());
        assertEquals("2", get("/"));
        assertEquals("b", webSocket.echo("b"));
    }

    /** Of these settings, some add handlers, and some replace them when a WebSocket is made. */
    @Test
    void whateverReactorNettyAddsToPipelinesMoves() throws Exception {
        Metrics.addRegistry(new SimpleMeterRegistry());
        UnaryOperator<HttpServer> everything = server -> server.accessLog(true)
                .compress(true)
                .idleTimeout(TIME)
                .requestTimeout(TIME)
                .readTimeout(TIME)
                .metrics(true, uri -> uri);
        Running server = start("0", everything);
        Echo webSocket = webSocket();
        for (int i = 1; i <= 3; i++) {
            assertEquals("a" + i, webSocket.echo("a" + i));
            assertEquals(Integer.toString(i - 1), get("/"));
            HandoverReport report = server.transport().handOver(TIME).join();
            assertEquals(List.of(), report.staying());
            server = start(Integer.toString(i), everything);
            assertEquals(2, server.handover().startReport().adopted());
        }
        assertEquals("b", webSocket.echo("b"));
    }

    /** With a smallest length, Reactor Netty adds the handler that compresses when a response begins. */
    @Test
    void responsesThatAreCompressedFromSomeLengthOnMove() throws Exception {
        UnaryOperator<HttpServer> compressing = server -> server.compress(1);
        Running first = start("1", compressing);
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/parts"))
                .build();
        InputStream answer = http.send(request, BodyHandlers.ofInputStream()).body();
        // The first one may not come as far as that in its time.
        await().atMost(TIME)
                .until(() -> reasonOfFailure(first, Duration.ofMillis(300)).contains("is in the middle of a message"));
        rest.complete("b");
        assertEquals("ab", new String(answer.readAllBytes(), US_ASCII));
        assertEquals(List.of(), first.transport().handOver(TIME).join().staying());
        Running second = start("2", compressing);
        assertEquals(1, second.handover().startReport().adopted());
        assertEquals("ab", get("/parts"));
    }

    private static String reasonOfFailure(Running server, Duration time) {
        CompletableFuture<HandoverReport> handover = server.transport().handOver(time);
        return assertThrows(CompletionException.class, handover::join).getMessage();
    }

    /** What Reactor Netty wants to be told of a server that ends comes before the report; so a main must not wait for that. */
    @Test
    void theServerIsDisposedOfWhenItIsHandedOver() {
        Running first = start("1", server -> server);
        first.transport().handOver(TIME).join();
        first.server().onDispose().block(TIME);
        assertTrue(first.handover().drained().isDone());
    }

    /** With a group of channels, Reactor Netty waits for requests under way; it looks for the parents of connections. */
    @Test
    void adoptedConnectionsAreWaitedForAtTheEnd() throws Exception {
        start("1", server -> server).transport().handOver(TIME).join();
        UnaryOperator<HttpServer> grouped =
                server -> server.channelGroup(new DefaultChannelGroup(GlobalEventExecutor.INSTANCE));
        Running second = start("2", grouped);
        // First, or it would be made of the connection of the request.
        Echo webSocket = webSocket();
        assertEquals("a", webSocket.echo("a"));
        assertEquals("2", get("/"));
        second.transport().handOver(TIME).join();
        Running third = start("3", grouped);
        assertEquals(2, third.handover().startReport().adopted());
        assertEquals("3", get("/"));
        assertEquals("b", webSocket.echo("b"));
        third.transport().handOver(TIME).join();
        third.server().disposeNow(TIME);
        start("4", grouped);
        assertEquals("4", get("/"));
        assertEquals("c", webSocket.echo("c"));
    }

    @Test
    void timeoutsOfTheRequestDoNotCloseARestoredWebSocket() throws Exception {
        Duration timeout = Duration.ofMillis(200);
        UnaryOperator<HttpServer> impatient =
                server -> server.requestTimeout(timeout).readTimeout(timeout);
        Running first = start("1", impatient);
        Echo webSocket = webSocket();
        assertEquals("a", webSocket.echo("a"));
        first.transport().handOver(TIME).join();
        Running second = start("2", impatient);
        // On the loop of the connection, where a timeout that was not stopped would come first.
        CountDownLatch later = new CountDownLatch(LoopResources.DEFAULT_IO_WORKER_COUNT);
        second.loops()
                .onServer(true)
                .forEach(loop -> loop.schedule(later::countDown, 3 * timeout.toMillis(), TimeUnit.MILLISECONDS));
        await().atMost(TIME).until(() -> later.getCount() == 0);
        assertEquals("b", webSocket.echo("b"));
    }

    @Test
    void loopsOfItsOwnRunTheServer() throws Exception {
        Running running = start("1", server -> server);
        assertTrue(get("/thread").matches("reactor-escrow-epoll-\\d+true"), get("/thread"));
        Channel client =
                running.loops().onChannel(SocketChannel.class, running.loops().onClient(true));
        assertInstanceOf(EpollSocketChannel.class, client);
        assertInstanceOf(
                EpollDatagramChannel.class,
                running.loops().onChannel(DatagramChannel.class, running.loops().onClient(true)));
    }

    @Test
    void aServerThatRunsElsewhereLeavesItsNameUnused() {
        HandoverTransport transport = builder().transport();
        EscrowLoopResources loops = EscrowLoopResources.of(transport, "http");
        DisposableServer outside = HttpServer.create()
                .runOn(loops)
                .runOn(LoopResources.create("other"))
                .port(0)
                .bindNow(TIME);
        assertEquals(List.of("http"), loops.unusedNames());
        assertEquals(0, transport.handOver(TIME).join().connections());
        outside.disposeNow(TIME);
        loops.disposeLater(Duration.ZERO, TIME).block(TIME);
        assertTrue(loops.isDisposed());
    }

    @Test
    void severalServersShareLoopsAndOneMoreIsServedWithoutTheEscrow() throws Exception {
        HandoverTransport transport = builder().transport();
        EscrowLoopResources loops = EscrowLoopResources.of(transport, List.of("one", "two"), 2);
        List<DisposableServer> servers = new ArrayList<>();
        for (String name : List.of("one", "two", "three")) {
            servers.add(HttpServer.create()
                    .host("127.0.0.1")
                    .port(0)
                    .runOn(loops)
                    .handle((request, response) -> response.sendString(Mono.just(name)))
                    .bindNow(TIME));
        }
        assertEquals(List.of(), loops.unusedNames());
        assertEquals(2, transport.server().join().listeners().size());
        for (int i = 0; i < 3; i++) {
            port = servers.get(i).port();
            assertEquals(List.of("one", "two", "three").get(i), get("/"));
        }
        transport.close();
        servers.forEach(server -> server.disposeNow(TIME));
        loops.disposeLater(Duration.ZERO, TIME).block(TIME);
    }
}
