package io.escrow.examples.bench;

import static java.nio.charset.StandardCharsets.UTF_8;

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
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
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
    /** How the mode begins in which connections move in waves; how long each may take, in milliseconds, follows. */
    static final String WAVES = "waves:";

    /** The mode of a server that hands over for each line that it reads, and then waits for its turn again. */
    static final String AGAIN = "again";

    /** How the mode begins that has the server speak TLS; the file of its key follows. */
    static final String TLS = "tls:";

    private static final int LOOPS = 2;
    private static final Duration DEADLINE = Duration.ofSeconds(30);

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(LOOPS, EpollIoHandler.newFactory());
    private final CollectionCounter collections = new CollectionCounter();
    private final String escrow;
    private final List<String> modes;
    private final SslContext tls;
    private InetSocketAddress address;

    private HandoverEcho(String escrow, InetSocketAddress address, List<String> modes, SslContext tls) {
        this.escrow = escrow;
        this.address = address;
        this.modes = modes;
        this.tls = tls;
    }

    /**
     * Runs the server.
     *
     * @param args the path of the escrow and the port; then modes: {@value #CRASH_SAFE}, {@value #WAVES} and
     *     milliseconds, {@value #AGAIN}, {@value #TLS} and a file
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
        HandoverEcho echo = new HandoverEcho(args[0], address, modes, tls);
        ServerHandover server = echo.serve();
        if (!modes.contains(AGAIN)) {
            ServerHandover running = server;
            Runtime.getRuntime().addShutdownHook(new Thread(() -> echo.handOver(running), "handover"));
            return;
        }
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, UTF_8));
        while (commands.readLine() != null) {
            echo.handOver(server);
            server.drained().join();
            server = echo.serve();
        }
        System.exit(0);
    }

    /** Serves when it is this process's turn. */
    private ServerHandover serve() {
        ServerBootstrap bootstrap = new ServerBootstrap()
                .group(group)
                .option(ChannelOption.SO_BACKLOG, 4096)
                .childHandler(new ChannelInitializer<EpollSocketChannel>() {
                    @Override
                    protected void initChannel(EpollSocketChannel channel) {
                        if (tls != null) {
                            channel.pipeline().addLast(tls.newHandler(channel.alloc()));
                        }
                        channel.pipeline().addLast(Echo.INSTANCE);
                    }
                });
        ServerHandoverBuilder builder = ServerHandover.with(EscrowClient.builder()
                        .path(escrow)
                        .connectTimeout(Duration.ofHours(1))
                        .onWaiting(waiting -> System.out.println(WAITING)))
                .listen("echo", bootstrap, address)
                .crashSafe(modes.contains(CRASH_SAFE));
        for (String mode : modes) {
            if (mode.startsWith(WAVES)) {
                builder.waves(Duration.ofMillis(Long.parseLong(mode.substring(WAVES.length()))));
            }
        }
        if (tls != null) {
            builder.tls(MovableTls.of(tls));
        }
        ServerHandover server = builder.start().join();
        StartReport start = server.startReport();
        address = (InetSocketAddress) server.listeners().get(0).localAddress();
        System.out.printf(
                "%s port %d, %d adopted, %d refused, in %d us, pauses %d and %d ms, %s%n",
                SERVING,
                address.getPort(),
                start.adopted(),
                start.refused().size(),
                start.took().toNanos() / 1000,
                start.pauses().median().toMillis(),
                start.pauses().max().toMillis(),
                collections.within(start.took()));
        return server;
    }

    private void handOver(ServerHandover server) {
        long begun = System.nanoTime();
        HandoverReport report = server.handOver(DEADLINE).join();
        System.out.printf(
                "%s %d, resting %d us, storing %d us, %s%n",
                HANDED_OVER,
                report.connections(),
                report.resting().toNanos() / 1000,
                report.storing().toNanos() / 1000,
                collections.within(Duration.ofNanos(System.nanoTime() - begun)));
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
