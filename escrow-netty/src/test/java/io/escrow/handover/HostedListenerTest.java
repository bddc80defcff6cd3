package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.handover.protocol.PendingWork;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelOption;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Listeners that a framework makes and binds are handed over with their connections. */
class HostedListenerTest extends HostedHarness {

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void connectionsMoveAtOnce(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = startHosted(server());
        assertEquals(List.of("echo"), server.startReport().boundListeners());
        List<Peer> peers = connect(5);
        byte[] framed = Peer.framed(RECORD);
        for (int round = 0; round < 3; round++) {
            for (Peer peer : peers) {
                peer.assertEchoes(RECORD);
                peer.sendRaw(framed, 0, 500);
            }
            HandoverReport report = handOver(server);
            assertEquals(5, report.connections());
            assertEquals(1, report.listeners());
            Peer waiting = connect();
            waiting.send(RECORD);
            server = startHosted(server());
            assertEquals(List.of("echo"), server.startReport().adoptedListeners());
            assertEquals(5, server.startReport().adopted());
            waiting.assertReceives(RECORD);
            waiting.close();
            for (Peer peer : peers) {
                peer.sendRaw(framed, 500, framed.length);
                peer.assertReceives(RECORD);
            }
            awaitConnections(server, 5);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void connectionsMoveInWaves(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = startHosted(server().waves(Duration.ofMillis(100)));
        List<Peer> peers = connect(5);
        for (Peer peer : peers) {
            peer.assertEchoes(RECORD);
        }
        CompletableFuture<ServerHandover> next = startNextHosted();
        assertEquals(5, handOver(server).connections());
        ServerHandover started = add(next.join());
        assertEquals(5, started.startReport().adopted());
        for (Peer peer : peers) {
            peer.assertEchoes(RECORD);
        }
        connect().assertEchoes(RECORD);
    }

    /** Begins to start a server, which waits in newChannel until it is its turn. */
    private CompletableFuture<ServerHandover> startNextHosted() {
        HandoverTransport transport = server().waves(Duration.ofMillis(100)).transport();
        return queue(() -> {
            CompletableFuture.runAsync(() -> framework.bind(transport.serverChannels("echo"), address()));
            return transport.server();
        });
    }

    @Test
    void connectionsAreFoundAfterACrash() throws Exception {
        crashSafe = true;
        ServerHandover server = startHosted(server());
        List<Peer> peers = connect(3);
        for (Peer peer : peers) {
            peer.assertEchoes(RECORD);
        }
        crash(server);
        server = startHosted(server());
        assertEquals(3, server.startReport().foundAfterCrash());
        for (Peer peer : peers) {
            peer.assertEchoes(RECORD);
        }
    }

    /** Trap 2: Netty's own children have the server channel as their parent. */
    @Test
    void adoptedConnectionsAreInTheGroupOfTheirParent() throws Exception {
        ServerHandover server = startHosted(server());
        connect().assertEchoes(RECORD);
        handOver(server);
        server = startHosted(server());
        Channel listener = server.listeners().get(0);
        Channel adopted = onlyConnection(server).channel();
        assertSame(listener, adopted.parent());
        assertTrue(framework.connections(listener).contains(adopted));
        assertTrue(ServerHandover.isAdopted(adopted));
    }

    /** Trap 1: the framework asks for each read, and has asked already when the handover begins. */
    @Test
    void readsThatWereAskedForAreNotLostWhenAHandoverFails() throws Exception {
        ServerHandover server = startHosted(server());
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        PendingWork work = PendingWork.begin(onlyConnection(server).channel());
        assertThrows(EscrowException.class, () -> handOver(server, Duration.ofMillis(100)));
        work.close();
        peer.assertEchoes(RECORD);
        connect().assertEchoes(RECORD);
        assertEquals(2, handOver(server).connections());
        startHosted(server());
        peer.assertEchoes(RECORD);
    }

    /** Trap 5: what can't be moved is reset after a crash, whoever has built its pipeline. */
    @Test
    void immovableConnectionsAreResetAfterACrash() throws Exception {
        crashSafe = true;
        ServerHandoverBuilder builder = server().immovable(FakeFramework.EchoOnDemand.class, "a test says so");
        ServerHandover server = startHosted(builder);
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        awaitEscrowed(server, 1);
        crash(server);
        server = startHosted(builder);
        assertEquals(0, server.startReport().foundAfterCrash());
        assertEquals(1, server.startReport().refused().size());
        peer.assertReset();
        connect().assertEchoes(RECORD);
    }

    @Test
    void whatTheFrameworkSetsOfTheSocketDoesNotUndoWhatWasSet() throws Exception {
        ServerHandover server = startHosted(server());
        connect().assertEchoes(RECORD);
        onlyConnection(server).channel().config().setOption(ChannelOption.SO_KEEPALIVE, false);
        handOver(server);
        server = startHosted(server());
        assertEquals(false, onlyConnection(server).channel().config().getOption(ChannelOption.SO_KEEPALIVE));
    }

    /** A connection that the framework has, and has not registered yet, is neither lost nor left behind. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aHandoverWaitsForConnectionsThatTheFrameworkStillHolds(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = startHosted(server());
        framework.holdBack();
        Peer peer = connect();
        await().until(() -> framework.heldBack() == 1);
        CompletableFuture<HandoverReport> report = server.handOver(TIME);
        await().until(() -> !server.listeners().get(0).isRegistered());
        assertFalse(report.isDone());
        framework.letIn();
        assertEquals(1, report.join().connections());
        startHosted(server());
        peer.assertEchoes(RECORD);
    }

    @Test
    void severalListenersAreBoundInAnyOrder() throws Exception {
        crashSafe = true;
        InetSocketAddress one = anyAddress();
        InetSocketAddress other = anyAddress();
        Peer peer = null;
        for (int round = 0; round < 3; round++) {
            HandoverTransport transport = server().transport();
            ChannelFactory<EpollServerSocketChannel> first = transport.serverChannels("one");
            ChannelFactory<EpollServerSocketChannel> second = transport.serverChannels("other");
            // Each waits for the one before, and the order is not that of the names.
            other = bound(framework.bind(second, other).sync());
            one = bound(framework.bind(first, one).sync());
            ServerHandover server = add(transport.server().get());
            assertEquals(
                    round == 0 ? List.of() : List.of("other", "one"),
                    server.startReport().adoptedListeners());
            peer = peer == null ? add(Peer.tcp(one)) : peer;
            peer.assertEchoes(RECORD);
            add(Peer.tcp(other)).assertEchoes(RECORD);
            handOver(server);
        }
        HandoverTransport transport = server().transport();
        ChannelFactory<EpollServerSocketChannel> first = transport.serverChannels("one");
        framework.bind(transport.serverChannels("other"), other).sync();
        framework.bind(first, one).sync();
        add(transport.server().get());
        peer.assertEchoes(RECORD);
    }

    private static InetSocketAddress bound(ChannelFuture future) {
        return (InetSocketAddress) future.channel().localAddress();
    }

    @Test
    void listenersOfBothKindsAreInOneServer() throws Exception {
        InetSocketAddress plain = anyAddress();
        Peer peer = null;
        for (int round = 0; round < 2; round++) {
            ServerBootstrap bootstrap = bootstrap(FakeFramework::echo).childOption(ChannelOption.AUTO_READ, false);
            HandoverTransport transport =
                    server().listen("plain", bootstrap, plain).transport();
            framework.bind(transport.serverChannels("hosted"), address()).sync();
            ServerHandover server = transport.server().get();
            plain = (InetSocketAddress) server.listeners().get(0).localAddress();
            port = ((InetSocketAddress) server.listeners().get(1).localAddress()).getPort();
            peer = peer == null ? connect() : peer;
            peer.assertEchoes(RECORD);
            add(Peer.tcp(plain)).assertEchoes(RECORD);
            if (round == 0) {
                assertEquals(2, handOver(server).connections());
            } else {
                server.close();
                peer.assertEnds();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void unixDomainListenersKeepTheirPath(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        Path path = directory.resolve("server");
        Peer peer = null;
        for (int round = 0; round < 3; round++) {
            HandoverTransport transport = server().transport();
            ChannelFuture bound =
                    framework.bind(transport.serverDomainChannels("unix"), new DomainSocketAddress(path.toString()));
            bound.sync();
            ServerHandover server = transport.server().get();
            peer = peer == null ? add(Peer.unix(path)) : peer;
            peer.assertEchoes(RECORD);
            if (round < 2) {
                handOver(server);
                // The framework stops its server, too.
                bound.channel().close().sync();
                assertTrue(Files.exists(path));
            } else {
                server.close();
            }
        }
        assertFalse(Files.exists(path));
    }

    /** Counts the slots with the tag of listeners; one of them holds the marks. */
    private static int escrowedListeners(ServerHandover server) {
        int tag = server.context().table().listenerTag();
        return server.context().client().tag(tag).join().used() - 1;
    }

    @Test
    void aFrameworkThatClosesItsListenerFreesTheSlot() throws Exception {
        crashSafe = true;
        ServerHandover server = startHosted(server());
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        assertEquals(1, escrowedListeners(server));
        server.listeners().get(0).close().sync();
        await().until(() -> escrowedListeners(server) == 0);
        assertThrows(ConnectException.class, this::connect);
        peer.assertEchoes(RECORD);
        HandoverReport report = handOver(server);
        assertEquals(0, report.listeners());
        assertEquals(1, report.connections());
        ServerHandover next = startHosted(server());
        assertEquals(List.of("echo"), next.startReport().boundListeners());
        peer.assertEchoes(RECORD);
    }

    @Test
    void aFrameworkThatClosesItsListenerBecauseOfAHandoverChangesNothing() throws Exception {
        crashSafe = true;
        ServerHandover server = startHosted(server());
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        Channel listener = server.listeners().get(0);
        CompletableFuture<HandoverReport> report = server.handOver(TIME);
        ChannelFuture closing = listener.close();
        assertEquals(1, report.join().listeners());
        closing.sync();
        Peer waiting = connect();
        waiting.send(RECORD);
        server = startHosted(server());
        assertEquals(List.of("echo"), server.startReport().adoptedListeners());
        waiting.assertReceives(RECORD);
        peer.assertEchoes(RECORD);
    }

    @Test
    void aListenerThatWasClosedDuringAHandoverThatFailsIsClosedAfterIt() throws Exception {
        crashSafe = true;
        ServerHandover server = startHosted(server());
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        PendingWork work = PendingWork.begin(onlyConnection(server).channel());
        CompletableFuture<HandoverReport> report = server.handOver(Duration.ofMillis(200));
        ChannelFuture closing = server.listeners().get(0).close();
        assertThrows(CompletionException.class, report::join);
        work.close();
        closing.sync();
        await().until(() -> escrowedListeners(server) == 0);
        assertThrows(ConnectException.class, this::connect);
        peer.assertEchoes(RECORD);
    }
}
