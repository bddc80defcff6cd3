package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.internal.EventLoops;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Socket;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.timeout.IdleStateEvent;
import io.netty.handler.timeout.IdleStateHandler;
import io.netty.util.AttributeKey;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** An adopted channel is to its handlers what an accepted one is. */
class AdoptedChannelTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(1000, 1);
    private static final AttributeKey<AtomicInteger> BUILT = AttributeKey.valueOf(AdoptedChannelTest.class, "built");

    private ServerHandoverBuilder onUnixSocket(Path path) {
        return ServerHandover.with(escrow())
                .listen("echo", bootstrap(AdoptedChannelTest::echo), new DomainSocketAddress(path.toString()));
    }

    private static void echo(Channel channel) {
        channel.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), new Echo());
    }

    @Test
    void itHasAParentAndAddresses() throws Exception {
        ServerHandover server = start();
        connect();
        Channel accepted = onlyConnection(server).channel();
        assertSame(server.listeners().get(0), accepted.parent());
        handOver(server);
        server = start();
        Channel adopted = onlyConnection(server).channel();
        assertSame(server.listeners().get(0), adopted.parent());
        assertEquals(accepted.localAddress(), adopted.localAddress());
        assertEquals(accepted.remoteAddress(), adopted.remoteAddress());
        assertNotEquals(accepted.id(), adopted.id());
    }

    @Test
    void itHasAParentAndAddressesOnAUnixSocket() throws Exception {
        Path path = directory.resolve("server");
        ServerHandover server = start(onUnixSocket(path));
        Peer peer = add(Peer.unix(path));
        Channel accepted = onlyConnection(server).channel();
        for (int round = 0; round < 2; round++) {
            handOver(server);
            server = start(onUnixSocket(path));
            Channel adopted = onlyConnection(server).channel();
            assertSame(server.listeners().get(0), adopted.parent());
            assertEquals(new DomainSocketAddress(path.toString()), adopted.localAddress());
            assertEquals(accepted.localAddress(), adopted.localAddress());
            assertEquals(accepted.remoteAddress(), adopted.remoteAddress());
            peer.assertEchoes(RECORD);
        }
    }

    @Test
    void childOptionsAndAttributesApplyOnce() throws Exception {
        List<AtomicInteger> attributes = new ArrayList<>();
        Queue<Object> seen = new ConcurrentLinkedQueue<>();
        ServerHandover server = start(withChildSettings(attributes, seen));
        connect();
        Channel accepted = onlyConnection(server).channel();
        handOver(server);
        server = start(withChildSettings(attributes, seen));
        Channel adopted = onlyConnection(server).channel();
        assertSame(attributes.get(0), accepted.attr(BUILT).get());
        assertSame(attributes.get(1), adopted.attr(BUILT).get());
        attributes.forEach(built -> assertEquals(1, built.get()));
        // The initializer saw them.
        assertEquals(List.of(12, 12), List.copyOf(seen));
        assertEquals(12, adopted.config().getWriteBufferHighWaterMark());
    }

    private ServerHandoverBuilder withChildSettings(List<AtomicInteger> attributes, Queue<Object> seen) {
        AtomicInteger built = new AtomicInteger();
        attributes.add(built);
        ServerBootstrap bootstrap = bootstrap(ch -> {
            ch.attr(BUILT).get().incrementAndGet();
            seen.add(ch.config().getWriteBufferHighWaterMark());
            echo(ch);
        });
        return server(bootstrap
                .childAttr(BUILT, built)
                .childOption(ChannelOption.WRITE_BUFFER_WATER_MARK, new WriteBufferWaterMark(3, 12)));
    }

    @Test
    void whatWasSetOfTheSocketHolds() throws Exception {
        ServerHandover server = start(withSocketOptions(ch -> {}));
        connect();
        Channel accepted = onlyConnection(server).channel();
        accepted.config().setOption(ChannelOption.SO_KEEPALIVE, false);
        accepted.config().setOption(ChannelOption.SO_RCVBUF, 30_000);
        accepted.config().setOption(EpollChannelOption.TCP_USER_TIMEOUT, 7_000);
        Socket before = (Socket) EventLoops.descriptor(accepted);
        int received = before.getReceiveBufferSize();
        int sent = before.getSendBufferSize();
        handOver(server);
        // What an initializer sets for each channel applies to this one, too.
        server = start(withSocketOptions(ch -> ch.config().setOption(ChannelOption.IP_TOS, 8)));
        Channel adopted = onlyConnection(server).channel();
        Socket socket = (Socket) EventLoops.descriptor(adopted);
        assertTrue(!socket.isKeepAlive());
        assertEquals(received, socket.getReceiveBufferSize());
        assertEquals(sent, socket.getSendBufferSize());
        assertEquals(8, socket.getTrafficClass());
        assertEquals(7_000, adopted.config().getOption(EpollChannelOption.TCP_USER_TIMEOUT));
        assertEquals(60, adopted.config().getOption(EpollChannelOption.TCP_KEEPIDLE));
    }

    private ServerHandoverBuilder withSocketOptions(Consumer<Channel> initializer) {
        return server(bootstrap(initializer.andThen(AdoptedChannelTest::echo))
                .childOption(ChannelOption.SO_KEEPALIVE, true)
                .childOption(ChannelOption.SO_RCVBUF, 60_000)
                .childOption(ChannelOption.SO_SNDBUF, 50_000)
                .childOption(ChannelOption.IP_TOS, 16)
                .childOption(EpollChannelOption.TCP_KEEPIDLE, 60)
                .childOption(EpollChannelOption.TCP_USER_TIMEOUT, 5_000));
    }

    @Test
    void idleTimersStartAnew() throws Exception {
        Queue<Boolean> first = new ConcurrentLinkedQueue<>();
        ServerHandover server = start(idling(first));
        connect();
        await().until(() -> first.contains(false));
        handOver(server);
        first.clear();
        start(idling(first));
        await().until(() -> first.contains(false));
        assertEquals(true, first.peek());
    }

    /** Notes of each idle event whether it is the first one since something was read, or the channel became active. */
    private ServerHandoverBuilder idling(Queue<Boolean> first) {
        return server(bootstrap(ch -> ch.pipeline()
                .addLast(new IdleStateHandler(50, 0, 0, TimeUnit.MILLISECONDS), new ChannelInboundHandlerAdapter() {
                    @Override
                    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
                        if (event instanceof IdleStateEvent idle) {
                            first.add(idle.isFirst());
                        }
                    }
                })));
    }

    @Test
    void descriptorIsClosedThatTheListenerCanNotAdopt() throws Exception {
        Path path = directory.resolve("server");
        ServerHandover server = start(onUnixSocket(path));
        Peer peer = add(Peer.unix(path));
        awaitConnections(server, 1);
        handOver(server);
        ServerHandover next = start(echoServer().bindChangedAddress(true));
        assertEquals(0, next.connections());
        String refused = next.startReport().refused().toString();
        assertTrue(refused.contains("connection 1/0"), refused);
        // It was the last descriptor of the connection.
        peer.assertEnds();
        assertTrue(next.listeners().get(0).localAddress() instanceof InetSocketAddress);
        assertNull(next.listeners().get(0).parent());
    }
}
