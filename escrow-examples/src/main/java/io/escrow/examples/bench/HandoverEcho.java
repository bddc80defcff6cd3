package io.escrow.examples.bench;

import io.escrow.client.EscrowClient;
import io.escrow.handover.HandoverReport;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.ServerHandoverBuilder;
import io.escrow.handover.StartReport;
import io.escrow.handover.tls.MovableTls;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** An echo server that is handed over on SIGTERM, as a process for benchmarks to measure. */
final class HandoverEcho {

    /** How the lines begin that the server prints: when it waits for its turn, when it serves, and when it has handed over. */
    static final String WAITING = "Waiting";

    static final String SERVING = "Serving";
    static final String HANDED_OVER = "Handed over";

    static final String CRASH_SAFE = "crash-safe";
    static final String WAVES = "waves";

    /** How the mode begins that has the server speak TLS; the file of its key follows. */
    static final String TLS = "tls:";

    private static final int LOOPS = 2;
    private static final Duration DEADLINE = Duration.ofSeconds(30);
    private static final Duration WAVE = Duration.ofMillis(100);

    private HandoverEcho() {}

    /**
     * Runs the server.
     *
     * @param args the path of the escrow and the port; then modes: {@value #CRASH_SAFE}, {@value #WAVES}, {@value #TLS} and a file
     */
    public static void main(String[] args) throws IOException {
        InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[1]));
        List<String> modes = List.of(args).subList(2, args.length);
        SslContext tls = null;
        for (String mode : modes) {
            if (mode.startsWith(TLS)) {
                tls = BenchTls.server(Path.of(mode.substring(TLS.length())));
            }
        }
        SslContext context = tls;
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(LOOPS, EpollIoHandler.newFactory());
        ServerBootstrap bootstrap = new ServerBootstrap()
                .group(group)
                .option(ChannelOption.SO_BACKLOG, 4096)
                .childHandler(new ChannelInitializer<EpollSocketChannel>() {
                    @Override
                    protected void initChannel(EpollSocketChannel channel) {
                        if (context != null) {
                            channel.pipeline().addLast(context.newHandler(channel.alloc()));
                        }
                        channel.pipeline().addLast(Echo.INSTANCE);
                    }
                });
        ServerHandoverBuilder builder = ServerHandover.with(EscrowClient.builder()
                        .path(args[0])
                        .connectTimeout(Duration.ofHours(1))
                        .onWaiting(waiting -> System.out.println(WAITING)))
                .listen("echo", bootstrap, address)
                .crashSafe(modes.contains(CRASH_SAFE));
        if (modes.contains(WAVES)) {
            builder.waves(WAVE);
        }
        if (context != null) {
            builder.tls(MovableTls.of(context));
        }
        ServerHandover server = builder.start().join();
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
            ctx.writeAndFlush(msg, ctx.voidPromise());
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            ctx.close();
        }
    }
}
