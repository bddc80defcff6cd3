package io.escrow.examples.bench;

import io.escrow.client.EscrowClient;
import io.escrow.handover.ServerHandover;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import java.net.InetAddress;
import java.net.InetSocketAddress;

/** An echo server that answers one request on each connection, as a process for {@code bench accept} to measure. */
final class AcceptEcho {

    /** How the line begins that the server prints when it is ready; the port follows. */
    static final String SERVING = "Serving port ";

    static final String CRASH_SAFE = "crash-safe";
    static final String CLOSING = "closing";

    private static final int LOOPS = 2;
    private static final int BACKLOG = 4096;

    private AcceptEcho() {}

    /**
     * Runs the server.
     *
     * @param args the path of the escrow; {@value #CRASH_SAFE} or another word; and {@value #CLOSING}, if the server is to
     *     close the connections, or another word
     */
    public static void main(String[] args) {
        boolean closing = args[2].equals(CLOSING);
        ServerBootstrap bootstrap = new ServerBootstrap()
                .group(new MultiThreadIoEventLoopGroup(LOOPS, EpollIoHandler.newFactory()))
                .option(ChannelOption.SO_BACKLOG, BACKLOG)
                .childHandler(new ChannelInitializer<EpollSocketChannel>() {
                    @Override
                    protected void initChannel(EpollSocketChannel channel) {
                        channel.pipeline().addLast(new Echo(closing));
                    }
                });
        ServerHandover server = ServerHandover.with(EscrowClient.builder().path(args[0]))
                .listen("echo", bootstrap, new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .crashSafe(args[1].equals(CRASH_SAFE))
                .start()
                .join();
        System.out.println(
                SERVING + ((InetSocketAddress) server.listeners().get(0).localAddress()).getPort());
    }

    private static final class Echo extends ChannelInboundHandlerAdapter {
        private final boolean closing;
        private int left = AcceptClients.REQUEST_LENGTH;

        Echo(boolean closing) {
            this.closing = closing;
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            left -= ((ByteBuf) msg).readableBytes();
            ctx.writeAndFlush(msg, ctx.voidPromise());
            if (closing && left <= 0) {
                ctx.close();
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            ctx.close();
        }
    }
}
