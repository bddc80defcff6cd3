package io.escrow.examples;

import io.escrow.InheritedSockets;
import io.escrow.handover.ServerHandover;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.socket.DatagramPacket;
import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Echoes datagrams. Datagrams that arrive between two processes wait in the socket, which the escrow keeps open. */
@Command(name = "udp-echo", description = "Sends each datagram back to its sender. Hands over on SIGTERM.")
final class UdpEcho implements Callable<Integer> {

    @Mixin
    private final HandoverOptions options = new HandoverOptions();

    @Override
    public Integer call() throws IOException, InterruptedException, ExecutionException {
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory());
        ServerHandover server = ServerHandover.with(options.escrow())
                .datagram("udp", new Bootstrap().group(group).handler(new Echo()), options.address())
                .inheritListeners(InheritedSockets.ofThisProcess())
                .crashSafe(options.crashSafe())
                .drain(options.drain())
                .start()
                .get();
        HandoverOnSigterm.install(server);
        group.terminationFuture().await();
        return 0;
    }

    private static final class Echo extends SimpleChannelInboundHandler<DatagramPacket> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, DatagramPacket packet) {
            ctx.writeAndFlush(new DatagramPacket(packet.content().retain(), packet.sender()));
        }
    }
}
