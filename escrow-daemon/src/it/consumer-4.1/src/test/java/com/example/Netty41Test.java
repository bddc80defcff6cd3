package com.example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.client.DaemonLaunch;
import io.escrow.client.EscrowClient;
import io.escrow.handover.ServerHandover;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.util.Version;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Hands a connection over with Netty 4.1 alone on the class path; the daemon runs from its own jar, with Netty 4.2. */
@Timeout(60)
class Netty41Test {

    @TempDir
    Path directory;

    @Test
    void onlyOneVersionOfNettyIsThere() {
        Version.identify()
                .values()
                .forEach(version -> assertEquals(
                        System.getProperty("netty41.version"), version.artifactVersion(), version.toString()));
        assertTrue(Version.identify().containsKey("netty-codec"));
    }

    @Test
    void connectionIsHandedOver() throws Exception {
        EventLoopGroup group = new EpollEventLoopGroup(1);
        ServerHandover first = start(group);
        try (Socket peer = new Socket(InetAddress.getLoopbackAddress(), port(first))) {
            assertEchoes(peer);
            first.handOver(Duration.ofSeconds(10)).join();
            ServerHandover second = start(group);
            assertEquals(1, second.startReport().adopted());
            assertEchoes(peer);
            second.close();
        } finally {
            group.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
            List<ProcessHandle> daemon = ProcessHandle.current().children().toList();
            daemon.forEach(ProcessHandle::destroy);
            for (ProcessHandle process : daemon) {
                process.onExit().get(20, TimeUnit.SECONDS);
            }
        }
    }

    private ServerHandover start(EventLoopGroup group) {
        DaemonLaunch launch = DaemonLaunch.onDemand().from(Path.of(System.getProperty("escrowd.jar")));
        return ServerHandover.with(EscrowClient.builder()
                        .path(directory.resolve("escrow.sock").toString())
                        .launch(launch))
                .listen(
                        "echo",
                        new ServerBootstrap().group(group).childHandler(new Echo()),
                        new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .start()
                .join();
    }

    private static int port(ServerHandover server) {
        return ((InetSocketAddress) server.listeners().get(0).localAddress()).getPort();
    }

    private static void assertEchoes(Socket peer) throws Exception {
        peer.getOutputStream().write(7);
        assertEquals(7, peer.getInputStream().read());
    }

    private static final class Echo extends ChannelInitializer<SocketChannel> {
        @Override
        protected void initChannel(SocketChannel ch) {
            ch.pipeline().addLast(new ChannelInboundHandlerAdapter() {
                @Override
                public void channelRead(ChannelHandlerContext ctx, Object msg) {
                    ctx.writeAndFlush(msg);
                }
            });
        }
    }
}
