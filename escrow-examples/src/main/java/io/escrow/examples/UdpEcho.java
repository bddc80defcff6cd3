package io.escrow.examples;

import io.escrow.handover.ServerHandoverBuilder;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.socket.DatagramPacket;
import java.net.InetSocketAddress;
import picocli.CommandLine.Command;

/** Echoes datagrams. Those that come while no process serves wait in the socket, which is in the escrow. */
@Command(name = "udp-echo", description = "Sends datagrams back to where they came from. Hands over on SIGTERM.")
final class UdpEcho extends HandoverCommand {

    @Override
    ServerHandoverBuilder describe(ServerHandoverBuilder builder, InetSocketAddress address) {
        return builder.datagram("udp", new Bootstrap().group(group).handler(new Echo()), address);
    }

    private static final class Echo extends SimpleChannelInboundHandler<DatagramPacket> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, DatagramPacket packet) {
            ctx.writeAndFlush(new DatagramPacket(packet.content().retain(), packet.sender()));
        }
    }
}
