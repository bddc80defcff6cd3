package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.InheritedSockets;
import io.escrow.Status;
import io.escrow.testing.EventLoopGroups;
import io.escrow.testing.LogLines;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelException;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What happens until a server runs whose listeners a framework makes and binds, and when it does not come to that. */
@Timeout(60)
class HostedStartTest extends HostedHarness {

    private static EscrowException failure(CompletableFuture<?> future) {
        ExecutionException e = assertThrows(ExecutionException.class, () -> future.get(10, TimeUnit.SECONDS));
        return assertInstanceOf(EscrowException.class, e.getCause());
    }

    private static void assertSays(Throwable failure, String words) {
        assertTrue(failure.getMessage().contains(words), failure::getMessage);
    }

    /** Trap 6: what a framework does before it asks for its channel is not a pause. */
    @Test
    void noTurnIsTakenBeforeTheFrameworkAsksForAChannel() throws Exception {
        await().until(() -> queuedOrServed() == 0);
        HandoverTransport transport = server().transport();
        transport.serverChannels("echo");
        assertEquals(0, queuedOrServed());
        startHosted(transport);
        assertEquals(1, queuedOrServed());
    }

    /** Counts the clients of the escrow, served or in the queue: their connections have the address of its socket. */
    private long queuedOrServed() throws IOException {
        String listening = "00010000";
        try (Stream<String> sockets = Files.lines(Path.of("/proc/self/net/unix"))) {
            return sockets.map(line -> line.trim().split("\\s+", 8))
                    .filter(fields -> fields.length == 8 && fields[7].equals(socket().toString()))
                    .filter(fields -> !fields[3].equals(listening))
                    .count();
        }
    }

    /** Trap 3: a setting that comes later has replaced the channel factory. */
    @Test
    void itIsSaidAgainAndAgainThatNobodyHasAskedForAChannel() {
        try (LogLines log = new LogLines(ServerHandover.class);
                HandoverTransport transport =
                        server().bindWarning(Duration.ofMillis(20)).transport()) {
            transport.serverChannels("forgotten");
            await().until(() ->
                    log.count("WARN", "no server channel was asked for yet, of listeners [forgotten]") >= 2);
        }
    }

    @Test
    void itIsSaidAgainAndAgainThatAListenerIsNotBound() throws Exception {
        try (LogLines log = new LogLines(ServerHandover.class);
                HandoverTransport transport =
                        server().bindWarning(Duration.ofMillis(20)).transport()) {
            ChannelFactory<EpollServerSocketChannel> made = transport.serverChannels("made");
            transport.serverChannels("forgotten");
            Channel channel = made.newChannel();
            // For how long depends on the machine.
            for (String words : List.of(
                    "listener made has not been bound for ",
                    " s: its server channel is not registered",
                    "listener forgotten has not been bound for ",
                    " s: nobody has asked")) {
                await().until(() -> log.count("WARN", words) >= 2);
            }
            channel.unsafe().closeForcibly();
        }
    }

    /** Trap 7: the framework prefers another transport, and nobody has noticed. */
    @Test
    void otherEventLoopsAreRefused() throws Exception {
        EventLoopGroup wrong = EventLoopGroups.nio();
        try (LogLines log = new LogLines(ServerHandover.class)) {
            HandoverTransport transport = server().transport();
            ServerBootstrap bootstrap = new ServerBootstrap()
                    .group(wrong, group)
                    .channelFactory(transport.serverChannels("echo"))
                    .childHandler(new ChannelInitializer<>() {
                        @Override
                        protected void initChannel(Channel channel) {}
                    });
            assertSays(bootstrap.bind(anyAddress()).await().cause(), "incompatible event loop type");
            EscrowException failure = failure(transport.server());
            assertSays(failure, "give it event loop groups with EpollIoHandler");
            assertEquals(1, log.count("ERROR", "the server channel of listener echo was closed before it was bound"));
            transport.close();
        } finally {
            wrong.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
        }
    }

    /** Trap 9: newChannel waits, so it must not be called by the event loop that it waits for. */
    @Test
    void anEventLoopThatWouldWaitForItselfIsRefused() throws Exception {
        HandoverTransport transport = ServerHandover.with(escrow().group(group)).transport();
        ChannelFactory<EpollServerSocketChannel> factory = transport.serverChannels("echo");
        CompletableFuture<Throwable> refused = new CompletableFuture<>();
        group.next()
                .execute(() -> refused.complete(assertThrows(IllegalStateException.class, () -> factory.newChannel())));
        assertSays(refused.get(10, TimeUnit.SECONDS), "would wait for itself");
        // Another thread may still ask.
        startHosted(transport);
        connect().assertEchoes(RECORD);
    }

    @Test
    void anEventLoopThatTheEscrowDoesNotNeedMayAsk() throws Exception {
        HandoverTransport transport = server().transport();
        ChannelFactory<EpollServerSocketChannel> factory = transport.serverChannels("echo");
        group.next().execute(() -> framework.bind(factory, anyAddress()));
        add(transport.server().get(10, TimeUnit.SECONDS));
        connect().assertEchoes(RECORD);
    }

    @Test
    void aFactoryIsGoodForOneBind() throws Exception {
        HandoverTransport transport = server().transport();
        ServerHandover server = startHosted(transport);
        assertSays(
                assertThrows(
                        IllegalStateException.class,
                        () -> transport.serverChannels("echo").newChannel()),
                "good for one bind");
        assertSays(
                assertThrows(IllegalStateException.class, () -> transport.serverChannels("late")),
                "listener late comes too late");
        assertSays(server.listeners().get(0).bind(anyAddress()).await().cause(), "is bound already");
        assertThrows(IllegalStateException.class, () -> transport.farewell("echo", RECORD));
    }

    @Test
    void namesAreChecked() {
        HandoverTransport transport = server().listen("plain", bootstrap(FakeFramework::echo), anyAddress())
                .discardListener("old")
                .transport();
        assertThrows(IllegalArgumentException.class, () -> transport.serverChannels("plain"));
        assertThrows(IllegalArgumentException.class, () -> transport.serverChannels("old"));
        assertThrows(IllegalArgumentException.class, () -> transport.serverChannels(""));
        assertSame(transport.serverChannels("new"), transport.serverChannels("new"));
        assertThrows(IllegalArgumentException.class, () -> transport.serverDomainChannels("new"));
        assertThrows(IllegalArgumentException.class, () -> transport.farewell("none", RECORD));
        transport.farewell("new", RECORD);
        transport.close();
    }

    @Test
    void aBindThatFailsFailsEverything() throws Exception {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            HandoverTransport transport = server().transport();
            ChannelFactory<EpollServerSocketChannel> first = transport.serverChannels("first");
            ChannelFactory<EpollServerSocketChannel> second = transport.serverChannels("second");
            ChannelFuture bound = framework.bind(first, anyAddress()).sync();
            Throwable cause = framework
                    .bind(second, taken.getLocalSocketAddress())
                    .await()
                    .cause();
            assertEquals(Status.EADDRINUSE, failure(transport.server()).status());
            assertSame(failure(transport.server()), cause);
            bound.channel().closeFuture().sync();
        }
    }

    @Test
    void anotherAddressThanThatInTheEscrowIsRefused() throws Exception {
        handOver(startHosted(server()));
        HandoverTransport transport = server().bindChangedAddress(true).transport();
        Throwable cause = framework
                .bind(transport.serverChannels("echo"), new InetSocketAddress("127.0.0.2", port))
                .await()
                .cause();
        assertSays(cause, "is there already, with another address");
        assertSame(cause, failure(transport.server()));
        // The escrow is as it was.
        assertEquals(List.of("echo"), startHosted(server()).startReport().adoptedListeners());
    }

    @Test
    void aSocketThatWasPassedOnIsFoundByItsName() throws Exception {
        Socket socket = Socket.newSocketStream();
        socket.bind(anyAddress());
        socket.listen(16);
        port = socket.localAddress().getPort();
        Peer waiting = connect();
        waiting.send(RECORD);
        InheritedSockets inherited = new InheritedSockets(Map.of(socket.intValue(), "echo"));
        ServerHandover server = startHosted(server().inheritListeners(inherited));
        assertEquals(List.of("echo"), server.startReport().inheritedListeners());
        waiting.assertReceives(RECORD);
        handOver(server);
        assertEquals(List.of("echo"), startHosted(server()).startReport().adoptedListeners());
        waiting.assertEchoes(RECORD);
    }

    /** An error of the JVM, in the middle of the start. */
    @Test
    void anErrorLeavesNothingOpen() throws Exception {
        EventLoopGroup failing = (EventLoopGroup) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {EventLoopGroup.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("register")) {
                        // Netty does not close it then.
                        ((Channel) arguments[0]).unsafe().closeForcibly();
                        throw new NoClassDefFoundError("io/netty/Missing");
                    }
                    return method.invoke(group, arguments);
                });
        handOver(startHosted(server()));
        ServerBootstrap broken = new ServerBootstrap().group(failing).childHandler(new FakeFramework.EchoOnDemand());
        HandoverTransport transport =
                server().listen("plain", broken, anyAddress()).transport();
        // When the channel is made, or when it is bound.
        Exception told = assertThrows(
                Exception.class,
                () -> framework
                        .bind(transport.serverChannels("echo"), address())
                        .sync());
        assertSays(told, "NoClassDefFoundError");
        assertSays(failure(transport.server()), "NoClassDefFoundError");
        startHosted(server());
    }

    @Test
    void withoutAnEscrowThereIsNoChannel() throws Exception {
        HandoverTransport transport = ServerHandover.with(
                        escrow().path(directory.resolve("none").toString()))
                .transport();
        ChannelException e = assertThrows(
                ChannelException.class, () -> transport.serverChannels("echo").newChannel());
        assertSays(e, "listener echo gets no server channel");
        assertSame(failure(transport.server()), e.getCause());
        assertSame(failure(transport.handOver(TIME)), e.getCause());
    }

    @Test
    void closingEndsTheWaitForTheTurn() throws Exception {
        ServerHandover running = startHosted(server());
        HandoverTransport transport = server().transport();
        CompletableFuture<Throwable> refused = queue(() -> CompletableFuture.supplyAsync(() -> assertThrows(
                ChannelException.class, () -> transport.serverChannels("echo").newChannel())));
        assertEquals(
                Status.ETIMEDOUT,
                failure(transport.handOver(Duration.ofMillis(50))).status());
        transport.close();
        assertSays(refused.get(10, TimeUnit.SECONDS), "the handover transport was closed");
        assertEquals(Status.ECANCELED, failure(transport.server()).status());
        running.close();
        await().until(() -> queuedOrServed() == 0);
    }

    @Test
    void closingGivesAStartUpThatWaitsForABind() throws Exception {
        handOver(startHosted(server()));
        HandoverTransport transport = server().transport();
        Channel channel = transport.serverChannels("echo").newChannel();
        transport.close();
        group.register(channel).sync();
        assertSays(channel.bind(address()).await().cause(), "the handover transport was closed");
        channel.close().sync();
        assertEquals(List.of("echo"), startHosted(server()).startReport().adoptedListeners());
    }

    @Test
    void aThreadThatIsInterruptedGivesUp() throws Exception {
        ServerHandover running = startHosted(server());
        HandoverTransport transport = server().transport();
        CompletableFuture<Throwable> refused = new CompletableFuture<>();
        Thread waiting = queue(() -> {
            Thread thread = new Thread(() -> refused.complete(assertThrows(
                    ChannelException.class,
                    () -> transport.serverChannels("echo").newChannel())));
            thread.start();
            return thread;
        });
        waiting.interrupt();
        assertSays(refused.get(10, TimeUnit.SECONDS), "was interrupted");
        assertSays(failure(transport.server()), "was interrupted");
        assertFalse(running.context().session().isLost());
    }

    @Test
    void withoutAStartThereIsNothingToHandOver() {
        HandoverTransport transport = server().transport();
        ChannelFactory<EpollServerSocketChannel> factory = transport.serverChannels("echo");
        assertEquals(0, transport.handOver(TIME).join().connections());
        assertSays(assertThrows(IllegalStateException.class, factory::newChannel), "is closed, or was handed over");
        assertEquals(Status.ECANCELED, failure(transport.server()).status());
        assertThrows(IllegalArgumentException.class, () -> transport.handOver(Duration.ZERO));
    }

    @Test
    void aHandoverWaitsForTheStart() throws Exception {
        HandoverTransport transport = server().transport();
        Channel channel = transport.serverChannels("echo").newChannel();
        CompletableFuture<HandoverReport> report = transport.handOver(TIME);
        group.register(channel).sync();
        channel.bind(anyAddress()).sync();
        port = ((InetSocketAddress) channel.localAddress()).getPort();
        assertEquals(1, report.get(10, TimeUnit.SECONDS).listeners());
        startHosted(server());
    }
}
