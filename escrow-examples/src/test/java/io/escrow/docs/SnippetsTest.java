package io.escrow.docs;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.client.EscrowClient;
import io.escrow.client.EscrowClientBuilder;
import io.escrow.daemon.EscrowDaemon;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.handover.ServerHandover;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.AttributeKey;
import java.io.IOException;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The Java code of the documentation compiles as it is shown, and the examples that are a whole job do that job. */
@Timeout(60)
class SnippetsTest {

    private static final String README = "README.md";
    private static final String HANDOVER = "docs/handover.md";
    private static final String PROTOCOLS = "docs/protocols.md";
    private static final String SERVER_HANDOVER = "escrow-netty/src/main/java/io/escrow/handover/ServerHandover.java";
    private static final String PENDING_WORK =
            "escrow-netty/src/main/java/io/escrow/handover/protocol/PendingWork.java";

    private static final Duration DEADLINE = Duration.ofSeconds(10);

    @TempDir
    private Path directory;

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory());
    private final ScheduledExecutorService scheduler = Executors.newSingleThreadScheduledExecutor();
    private String path;
    private EscrowDaemon daemon;
    private InetSocketAddress address;

    static List<Snippets> files() throws IOException {
        return Snippets.all().stream().filter(Snippets::any).toList();
    }

    @ParameterizedTest
    @MethodSource("files")
    void snippetsCompile(Snippets file) throws Exception {
        file.compile(directory);
    }

    @Test
    void javaIsNowhereElse() throws IOException {
        List<String> elsewhere = Snippets.all().stream()
                .flatMap(file -> file.javaElsewhere().stream())
                .toList();
        assertEquals(List.of(), elsewhere);
    }

    @Test
    void quotesAreWhatTheSourcesSay() throws IOException {
        List<String> misquoted = new ArrayList<>();
        for (Snippets file : Snippets.all()) {
            misquoted.addAll(file.misquoted());
        }
        assertEquals(List.of(), misquoted);
    }

    @BeforeEach
    void startDaemon() throws Exception {
        path = directory.resolve("s").toString();
        daemon = EscrowDaemon.start(DaemonOptions.of(path));
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            address = (InetSocketAddress) free.getLocalSocketAddress();
        }
    }

    @AfterEach
    void end() throws Exception {
        scheduler.shutdownNow();
        daemon.close();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
    }

    @ParameterizedTest
    @ValueSource(strings = {README, HANDOVER, SERVER_HANDOVER})
    void serverMovesToItsNextProcess(String file) throws Exception {
        Example example = example(file, "server.handOver(");
        try (Socket peer = new Socket()) {
            example.serve(answersOf("first"), server -> {
                peer.connect(address);
                send(peer, "one");
                receive(peer, "first: one");
            });
            send(peer, "two");
            example.serve(answersOf("second"), server -> receive(peer, "second: two"));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {HANDOVER, PENDING_WORK})
    void connectionWaitsForPendingWork(String file) throws Exception {
        Example example = example(HANDOVER, "server.handOver(");
        Example work = example(file, "PendingWork.begin(");
        CountDownLatch begun = new CountDownLatch(1);
        Consumer<ChannelPipeline> later = handlers -> handlers.addLast(new Answers((ctx, message) -> {
            work.answerLater(ctx, Unpooled.copiedBuffer("later: " + message, UTF_8));
            begun.countDown();
        }));
        try (Socket peer = new Socket()) {
            example.serve(later, server -> {
                peer.connect(address);
                send(peer, "one");
                begun.await();
            });
            receive(peer, "later: one");
            send(peer, "two");
            example.serve(answersOf("second"), server -> receive(peer, "second: two"));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"new FramedProtocol(", "new LineProtocol()"})
    void halfALineMoves(String protocol) throws Exception {
        Example example = example(PROTOCOLS, protocol);
        Constructor<?> decoder =
                example.code.getClassLoader().loadClass("LineDecoder").getDeclaredConstructor();
        decoder.setAccessible(true);
        try (Socket peer = new Socket()) {
            example.serve(lines(decoder, "first"), server -> {
                peer.connect(address);
                send(peer, "one\ntw");
                receive(peer, "first: one");
                server.handOver(DEADLINE).join();
            });
            send(peer, "o\n");
            example.serve(lines(decoder, "second"), server -> {
                receive(peer, "second: two");
                server.close();
            });
        }
    }

    private static Consumer<ChannelPipeline> lines(Constructor<?> decoder, String server) {
        return handlers -> {
            handlers.addLast((ChannelHandler) newInstance(decoder));
            answersOf(server).accept(handlers);
        };
    }

    @Test
    void attributeMoves() throws Exception {
        Example example = example(HANDOVER, "new UserCodec()");
        AttributeKey<String> user = AttributeKey.valueOf("user");
        Consumer<ChannelPipeline> handlers = pipeline -> pipeline.addLast(new Answers((ctx, message) -> {
            ctx.channel().attr(user).setIfAbsent(message);
            ctx.writeAndFlush(Unpooled.copiedBuffer(ctx.channel().attr(user).get() + ": " + message, UTF_8));
        }));
        try (Socket peer = new Socket()) {
            example.serve(handlers, server -> {
                peer.connect(address);
                send(peer, "ann");
                receive(peer, "ann: ann");
                server.handOver(DEADLINE).join();
            });
            send(peer, "hello");
            example.serve(handlers, server -> {
                receive(peer, "ann: hello");
                server.close();
            });
        }
    }

    @Test
    void connectionsAreMeasured() throws Exception {
        Example example = example(HANDOVER, "new MicrometerHandoverObserver(");
        Method start = Stream.of(example.code.getDeclaredMethods())
                .filter(method -> method.getName().equals("start"))
                .findFirst()
                .orElseThrow();
        start.setAccessible(true);
        MeterRegistry meters = new SimpleMeterRegistry();
        try (ServerHandover server =
                        (ServerHandover) start.invoke(null, escrow(), bootstrap(answersOf("first")), address, meters);
                Socket peer = new Socket()) {
            peer.connect(address);
            send(peer, "one");
            receive(peer, "first: one");
            assertEquals(1, meters.get("escrow.connections").gauge().value());
            server.handOver(DEADLINE).join();
            assertEquals(1, meters.get("escrow.connections.moved").counter().count());
        }
    }

    /** Compiles a snippet; its path and its port become those of this test. */
    private Example example(String file, String part) throws Exception {
        Snippets snippets =
                Snippets.of(file).with("\"/run/app/escrow\"", "path").with("new InetSocketAddress(8080)", "address");
        ClassLoader loader = snippets.compile(Files.createTempDirectory(directory, "classes"));
        return new Example(loader.loadClass(snippets.className(part)));
    }

    /** A snippet that can be run, as the code of several processes if need be. */
    private final class Example {

        private final Class<?> code;

        Example(Class<?> code) {
            this.code = code;
        }

        /** Runs a server from its start to its end. */
        void serve(Consumer<ChannelPipeline> handlers, SnippetNames.Peers whileServing) throws Exception {
            SnippetNames names = (SnippetNames) newInstance(code.getConstructor());
            names.path = path;
            names.escrow = escrow();
            names.address = address;
            names.serverBootstrap = bootstrap(handlers);
            names.whileServing = whileServing;
            names.run();
        }

        /** Runs a snippet that does work for a connection. */
        void answerLater(ChannelHandlerContext ctx, ByteBuf answer) throws Exception {
            SnippetNames names = (SnippetNames) newInstance(code.getConstructor());
            names.ctx = ctx;
            names.answer = answer;
            names.scheduler = scheduler;
            names.database = request -> {
                CompletableFuture<Object> found = new CompletableFuture<>();
                scheduler.schedule(() -> found.complete(answer), 20, TimeUnit.MILLISECONDS);
                return found;
            };
            names.run();
        }
    }

    private EscrowClientBuilder escrow() {
        return EscrowClient.builder().path(path);
    }

    private ServerBootstrap bootstrap(Consumer<ChannelPipeline> handlers) {
        return new ServerBootstrap().group(group).childHandler(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel channel) {
                handlers.accept(channel.pipeline());
            }
        });
    }

    private static Object newInstance(Constructor<?> constructor) {
        try {
            return constructor.newInstance();
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Consumer<ChannelPipeline> answersOf(String server) {
        return pipeline -> pipeline.addLast(new Answers(
                (ctx, message) -> ctx.writeAndFlush(Unpooled.copiedBuffer(server + ": " + message, UTF_8))));
    }

    private interface Answer {
        void give(ChannelHandlerContext ctx, String message) throws Exception;
    }

    private static final class Answers extends SimpleChannelInboundHandler<Object> {

        private final Answer answer;

        Answers(Answer answer) {
            this.answer = answer;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, Object message) throws Exception {
            answer.give(ctx, message instanceof ByteBuf bytes ? bytes.toString(UTF_8) : message.toString());
        }
    }

    private static void send(Socket peer, String message) throws IOException {
        peer.getOutputStream().write(message.getBytes(UTF_8));
    }

    private static void receive(Socket peer, String expected) throws IOException {
        peer.setSoTimeout(20_000);
        assertEquals(expected, new String(peer.getInputStream().readNBytes(expected.length()), UTF_8));
    }
}
