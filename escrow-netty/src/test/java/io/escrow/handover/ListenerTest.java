package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.bootstrap.AbstractBootstrap;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.ServerChannel;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.socket.DatagramPacket;
import io.netty.channel.socket.nio.NioDatagramChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.resolver.NoopAddressResolverGroup;
import io.netty.util.AttributeKey;
import java.net.DatagramSocket;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Listeners and sockets of each kind. */
class ListenerTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(1000, 1);
    private static final AttributeKey<String> OWNER = AttributeKey.valueOf(ListenerTest.class, "owner");

    private ServerBootstrap echo() {
        return bootstrap(ch -> ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), new Echo()));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void unixDomainListenerKeepsItsPath(boolean crashSafe) throws Exception {
        Path path = directory.resolve("server");
        ServerHandover server = start(unix(path, crashSafe));
        Peer peer = add(Peer.unix(path));
        byte[] framed = Peer.framed(RECORD);
        for (int round = 0; round < 3; round++) {
            peer.assertEchoes(RECORD);
            peer.sendRaw(framed, 0, 500);
            handOver(server);
            server.close();
            assertTrue(Files.exists(path));
            Peer waiting = add(Peer.unix(path));
            waiting.send(RECORD);
            server = start(unix(path, crashSafe));
            assertEquals(1, server.startReport().adopted());
            waiting.assertReceives(RECORD);
            waiting.close();
            peer.sendRaw(framed, 500, framed.length);
            peer.assertReceives(RECORD);
            awaitConnections(server, 1);
        }
        if (crashSafe) {
            crash(server);
            server = start(unix(path, true));
            peer.assertEchoes(RECORD);
        }
        server.close();
        assertFalse(Files.exists(path));
    }

    private ServerHandoverBuilder unix(Path path, boolean crashSafe) {
        return ServerHandover.with(escrow())
                .listen("unix", echo(), new DomainSocketAddress(path.toString()))
                .crashSafe(crashSafe);
    }

    @Test
    void ipv6() throws Exception {
        InetAddress loopback = Inet6Address.getByName("::1");
        ServerHandover server = start(tcp("v6", new InetSocketAddress(loopback, 0)));
        Peer peer = add(Peer.tcp(new InetSocketAddress(loopback, port)));
        peer.assertEchoes(RECORD);
        handOver(server);
        server = start(tcp("v6", new InetSocketAddress(loopback, port)));
        assertEquals(List.of("v6"), server.startReport().adoptedListeners());
        peer.assertEchoes(RECORD);
        add(Peer.tcp(new InetSocketAddress(loopback, port))).assertEchoes(RECORD);
    }

    @Test
    void wildcardAddress() throws Exception {
        ServerHandover server = start(tcp("any", new InetSocketAddress(0)));
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        handOver(server);
        server = start(tcp("any", new InetSocketAddress(port)));
        assertEquals(List.of("any"), server.startReport().adoptedListeners());
        peer.assertEchoes(RECORD);
    }

    private ServerHandoverBuilder tcp(String name, InetSocketAddress address) {
        return ServerHandover.with(escrow()).listen(name, echo(), address);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void severalListenersOnOneAddress(boolean crashSafe) throws Exception {
        ServerHandover first = start();
        first.close();
        InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
        ServerHandover server = start(reusing(address, crashSafe));
        List<Peer> peers = connect(40);
        for (int round = 0; round < 3; round++) {
            awaitConnections(server, peers.size());
            handOver(server);
            peers.addAll(connect(10));
            server = start(reusing(address, crashSafe));
            assertEquals(4, server.startReport().adoptedListeners().size());
            for (Peer peer : peers) {
                peer.assertEchoes(RECORD);
            }
        }
    }

    private ServerHandoverBuilder reusing(InetSocketAddress address, boolean crashSafe) {
        ServerBootstrap bootstrap = echo().option(EpollChannelOption.SO_REUSEPORT, true);
        return ServerHandover.with(escrow())
                .listen("many", bootstrap, address, 4)
                .crashSafe(crashSafe);
    }

    @Test
    void listenersComeAndGoFromVersionToVersion() throws Exception {
        crashSafe = true;
        InetSocketAddress any = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        ServerHandover server = start(echoServer().listen("old", echo(), any));
        InetSocketAddress old = (InetSocketAddress) server.listeners().get(1).localAddress();
        Peer kept = connect();
        Peer lost = add(Peer.tcp(old));
        kept.assertEchoes(RECORD);
        lost.assertEchoes(RECORD);
        handOver(server);
        ServerHandoverBuilder next = ServerHandover.with(escrow())
                .listen("new", echo(), any)
                .listen("echo", echo(), new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
                .discardListener("old")
                .crashSafe(true);
        server = start(next);
        assertEquals(List.of("echo"), server.startReport().adoptedListeners());
        assertEquals(List.of("new"), server.startReport().boundListeners());
        assertEquals(2, server.startReport().refused().size());
        kept.assertEchoes(RECORD);
        lost.assertEnds();
        crash(server);
        server = start(ServerHandover.with(escrow())
                .listen("new", echo(), any)
                .listen("echo", echo(), any)
                .crashSafe(true));
        assertEquals(List.of("new", "echo"), server.startReport().adoptedListeners());
        kept.assertEchoes(RECORD);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void datagramsOfTheGapAreAnsweredByTheNextProcess(boolean crashSafe) throws Exception {
        ServerHandover server = start(datagrams(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), crashSafe));
        InetSocketAddress address =
                (InetSocketAddress) server.listeners().get(0).localAddress();
        try (DatagramSocket client = new DatagramSocket()) {
            client.setSoTimeout(10_000);
            for (int round = 0; round < 3; round++) {
                assertAnswered(client, address, round);
                handOver(server);
                List<byte[]> sent = new ArrayList<>();
                for (int i = 0; i < 10; i++) {
                    byte[] bytes = Peer.bytes(100, i);
                    client.send(new java.net.DatagramPacket(bytes, bytes.length, address));
                    sent.add(bytes);
                }
                server = start(datagrams(address, crashSafe));
                for (byte[] bytes : sent) {
                    assertArrayEquals(bytes, receive(client));
                }
            }
            if (crashSafe) {
                crash(server);
                server = start(datagrams(address, true));
            }
            assertAnswered(client, address, 7);
        }
        server.close();
        ServerHandover closed = server;
        await().until(() -> !closed.listeners().get(0).isOpen());
    }

    private static void assertAnswered(DatagramSocket client, InetSocketAddress server, int seed) throws Exception {
        byte[] bytes = Peer.bytes(100, seed);
        client.send(new java.net.DatagramPacket(bytes, bytes.length, server));
        assertArrayEquals(bytes, receive(client));
    }

    private static byte[] receive(DatagramSocket client) throws Exception {
        java.net.DatagramPacket packet = new java.net.DatagramPacket(new byte[100], 100);
        client.receive(packet);
        return packet.getData();
    }

    private ServerHandoverBuilder datagrams(InetSocketAddress address, boolean crashSafe) {
        return ServerHandover.with(escrow())
                .datagram("udp", datagramBootstrap(), address)
                .crashSafe(crashSafe);
    }

    private Bootstrap datagramBootstrap() {
        return new Bootstrap().group(group).handler(new SimpleChannelInboundHandler<DatagramPacket>() {
            @Override
            protected void channelRead0(ChannelHandlerContext ctx, DatagramPacket packet) {
                ctx.writeAndFlush(new DatagramPacket(packet.content().retain(), packet.sender()));
            }
        });
    }

    /** Sets whatever a bootstrap may hold that the server does not use, and what it does. */
    private static <B extends AbstractBootstrap<B, ?>> B complete(B bootstrap) {
        return bootstrap
                .localAddress(new InetSocketAddress("192.0.2.1", 9))
                .attr(OWNER, "user")
                .option(ChannelOption.AUTO_READ, true)
                .option(ChannelOption.SO_RCVBUF, 30_000);
    }

    private static void assertComplete(ServerHandover server) {
        Channel channel = server.listeners().get(0);
        assertEquals("user", channel.attr(OWNER).get());
        assertEquals(60_000, channel.config().getOption(ChannelOption.SO_RCVBUF), "the kernel doubles it");
        assertTrue(channel.config().isAutoRead());
    }

    @ParameterizedTest
    @ValueSource(classes = {EpollDatagramChannel.class, NioDatagramChannel.class})
    void aBootstrapOfDatagramsMayBeComplete(Class<? extends Channel> type) throws Exception {
        InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        for (boolean adopted : new boolean[] {false, true}) {
            Bootstrap bootstrap = complete(datagramBootstrap().channel(type))
                    .remoteAddress("192.0.2.1", 9)
                    .resolver(NoopAddressResolverGroup.INSTANCE);
            ServerHandover server = start(ServerHandover.with(escrow()).datagram("udp", bootstrap, address));
            assertEquals(
                    adopted ? List.of("udp") : List.of(), server.startReport().adoptedListeners());
            assertComplete(server);
            address = (InetSocketAddress) server.listeners().get(0).localAddress();
            try (DatagramSocket client = new DatagramSocket()) {
                client.setSoTimeout(10_000);
                assertAnswered(client, address, 1);
            }
            if (!adopted) {
                handOver(server);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(classes = {EpollServerSocketChannel.class, NioServerSocketChannel.class})
    void aBootstrapOfAListenerMayBeComplete(Class<? extends ServerChannel> type) throws Exception {
        for (boolean adopted : new boolean[] {false, true}) {
            ServerBootstrap bootstrap = complete(echo().channel(type)).handler(new ChannelInboundHandlerAdapter());
            ServerHandover server = start(server(bootstrap));
            assertEquals(
                    adopted ? List.of("echo") : List.of(), server.startReport().adoptedListeners());
            assertComplete(server);
            connect().assertEchoes(RECORD);
            if (!adopted) {
                handOver(server);
            }
        }
    }
}
