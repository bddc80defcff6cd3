package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.escrow.client.EscrowClientBuilder;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** Uses a builder again, and changes it after its server has started. */
class BuilderReuseTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(1_000, 1);

    @Test
    void theSameBuilderStartsOneServerAfterTheOther() throws Exception {
        try (java.net.ServerSocket free = new java.net.ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        ServerHandoverBuilder builder = echoServer();
        ServerHandover first = start(builder);
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        handOver(first);
        ServerHandover second = start(builder);
        assertEquals(List.of("echo"), second.startReport().adoptedListeners());
        assertEquals(1, second.startReport().adopted());
        peer.assertEchoes(RECORD);
        connect().assertEchoes(RECORD);
        // The first one has nothing of the second.
        assertEquals(0, first.connections());
        assertFalse(first.listeners().get(0).isOpen());
    }

    @Test
    void whatChangesAfterTheStartChangesNothingInTheServer() throws Exception {
        ServerBootstrap bootstrap =
                bootstrap(ch -> ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), new Echo()));
        bootstrap.childOption(ChannelOption.SO_RCVBUF, 10_000);
        EscrowClientBuilder escrow = escrow();
        ServerHandover before = start();
        ServerHandoverBuilder builder = ServerHandover.with(escrow)
                .listen("echo", bootstrap, new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        escrow.path(directory.resolve("elsewhere").toString());
        // It waits for its turn while everything changes.
        CompletableFuture<ServerHandover> starting = builder.start();

        bootstrap.childHandler(new ChannelInitializer<SocketChannel>() {
            @Override
            protected void initChannel(SocketChannel ch) {
                ch.close();
            }
        });
        bootstrap.childOption(ChannelOption.TCP_NODELAY, null);
        builder.drain(Duration.ofMillis(1))
                .waves(Duration.ofMillis(1))
                .firstTag(7)
                .crashSafe(true)
                .farewell("echo", RECORD)
                .immovable(Echo.class, "too late")
                .listen("other", bootstrap, new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));

        handOver(before);
        ServerHandover server = add(starting.join());
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        assertEquals(1, server.listeners().size());
        HandoverConfiguration running = server.context().configuration();
        assertEquals(Duration.ofSeconds(30), running.drain());
        assertNull(running.wave());
        assertFalse(running.crashSafe());
        assertEquals(0, server.context().table().listenerTag());
        HandoverReport report = handOver(server);
        assertEquals(List.of(), report.staying());
        assertEquals(1, report.connections());
        start();
        peer.assertEchoes(RECORD);
    }
}
