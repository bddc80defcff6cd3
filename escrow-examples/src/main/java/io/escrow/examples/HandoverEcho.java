package io.escrow.examples;

import io.escrow.client.EscrowClient;
import io.escrow.handover.HandoverReport;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.ServerHandoverBuilder;
import io.escrow.handover.StartReport;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;

/** The process that the benchmarks measure: an echo server that is handed over on SIGTERM. */
final class HandoverEcho {

    /** How the lines begin that it prints: it waits for its turn; it serves; it has handed over. */
    static final String WAITING = "Waiting";

    static final String SERVING = "Serving";
    static final String HANDED_OVER = "Handed over";

    private static final int LOOPS = 2;
    private static final Duration DEADLINE = Duration.ofSeconds(30);
    private static final Duration WAVE = Duration.ofMillis(100);

    private HandoverEcho() {}

    /**
     * Runs with the path of the escrow, the port, and {@code plain}, {@code handover} or {@code crash-safe}; then {@code
     * waves}, if it is to be handed over in waves.
     */
    public static void main(String[] args) {
        InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[1]));
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(LOOPS, EpollIoHandler.newFactory());
        ServerBootstrap bootstrap = new ServerBootstrap()
                .group(group)
                .option(ChannelOption.SO_BACKLOG, 4096)
                .childHandler(new ChannelInitializer<EpollSocketChannel>() {
                    @Override
                    protected void initChannel(EpollSocketChannel channel) {
                        channel.pipeline().addLast(Echo.INSTANCE);
                    }
                });
        if (args[2].equals("plain")) {
            InetSocketAddress bound = (InetSocketAddress) bootstrap
                    .channel(EpollServerSocketChannel.class)
                    .bind(address)
                    .syncUninterruptibly()
                    .channel()
                    .localAddress();
            System.out.println(SERVING + " port " + bound.getPort());
            return;
        }
        ServerHandoverBuilder description = ServerHandover.with(EscrowClient.builder()
                        .path(args[0])
                        .connectTimeout(Duration.ofHours(1))
                        .onWaiting(waiting -> System.out.println(WAITING)))
                .listen("echo", bootstrap, address)
                .crashSafe(args[2].equals("crash-safe"));
        if (List.of(args).contains("waves")) {
            description.waves(WAVE);
        }
        ServerHandover server = description.start().join();
        StartReport start = server.startReport();
        System.out.printf(
                "%s port %d, %d adopted, %d refused, in %d us, pauses %d and %d ms%n",
                SERVING,
                ((InetSocketAddress) server.listeners().get(0).localAddress()).getPort(),
                start.adopted(),
                start.refused().size(),
                start.took().toNanos() / 1000,
                start.pauses().median().toMillis(),
                start.pauses().max().toMillis());
        Runtime.getRuntime().addShutdownHook(new Thread(() -> handOver(server), "handover"));
    }

    private static void handOver(ServerHandover server) {
        HandoverReport report = server.handOver(DEADLINE).join();
        System.out.printf(
                "%s %d, resting %d us, storing %d us%n",
                HANDED_OVER,
                report.connections(),
                report.resting().toNanos() / 1000,
                report.storing().toNanos() / 1000);
    }

    @Sharable
    private static final class Echo extends ChannelInboundHandlerAdapter {
        private static final Echo INSTANCE = new Echo();

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ctx.write(msg, ctx.voidPromise());
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext ctx) {
            ctx.flush();
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            ctx.close();
        }
    }
}
