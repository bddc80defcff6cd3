package io.escrow.system;

import io.escrow.client.EscrowClient;
import io.escrow.handover.HandoverObserver;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.ServerHandoverBuilder;
import io.escrow.handover.protocol.HandoverEvent;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.socket.ChannelInputShutdownReadComplete;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.CompletionException;

/**
 * Answers each record with the same, and is handed over on SIGTERM. Arguments: the socket, the port, crash-safe or not, in
 * waves or not, with auto-read or asking for each read, the {@link Flaw}.
 */
public final class RecordServer {

    static final String WAITING = "Waiting";
    static final String SERVING = "Serving ";
    static final String FAILED = "Failed: ";

    private RecordServer() {}

    /** Runs until SIGTERM. */
    public static void main(String[] args) {
        Flaw flaw = Flaw.of(args[5]);
        ServerBootstrap bootstrap = new ServerBootstrap()
                .group(new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory()))
                .option(ChannelOption.SO_BACKLOG, 4096)
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childOption(ChannelOption.AUTO_READ, Boolean.parseBoolean(args[4]))
                // Large enough for a record, so that none is read in part when the process is killed.
                .childOption(ChannelOption.RECVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(1 << 16))
                .handler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel ch) {
                        flaw.at(Flaw.Point.LISTENER);
                    }
                })
                .childHandler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel ch) {
                        flaw.at(Flaw.Point.PIPELINE);
                        ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), new Echo(flaw));
                    }
                });
        ServerHandoverBuilder description = ServerHandover.with(EscrowClient.builder()
                        .path(args[0])
                        .connectTimeout(Duration.ofMinutes(5))
                        .onWaiting(waiting -> System.out.println(WAITING)))
                .listen(
                        "records",
                        bootstrap,
                        new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[1])))
                .observer(new HandoverObserver() {
                    @Override
                    public void queued(Duration time) {
                        flaw.at(Flaw.Point.SESSION);
                    }
                })
                .crashSafe(Boolean.parseBoolean(args[2]));
        if (Boolean.parseBoolean(args[3])) {
            description.waves(Duration.ofMillis(30));
        }
        ServerHandover server;
        try {
            server = description.start().join();
        } catch (CompletionException e) {
            System.out.println(FAILED + e.getCause());
            Runtime.getRuntime().halt(1);
            throw e;
        }
        awaitSigterm(server);
    }

    private static void awaitSigterm(ServerHandover server) {
        InetSocketAddress address =
                (InetSocketAddress) server.listeners().get(0).localAddress();
        Runtime.getRuntime()
                .addShutdownHook(new Thread(() -> System.out.println(server.handOver(Duration.ofSeconds(60))
                        .handle((report, failure) -> failure == null ? report : failure)
                        .join())));
        // Only now: whoever reads this may send SIGTERM.
        System.out.println(SERVING + address.getPort() + " " + server.startReport());
    }

    private static final class Echo extends SimpleChannelInboundHandler<ByteBuf> {
        private final Flaw flaw;

        Echo(Flaw flaw) {
            this.flaw = flaw;
        }

        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            readNext(ctx);
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf record) {
            ctx.writeAndFlush(record.retain()).addListener(f -> readNext(ctx));
        }

        private static void readNext(ChannelHandlerContext ctx) {
            if (!ctx.channel().config().isAutoRead()) {
                ctx.read();
            }
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event == HandoverEvent.ADOPTED || event == HandoverEvent.FOUND_AFTER_CRASH) {
                flaw.at(Flaw.Point.RESTORED);
            }
            if (event == ChannelInputShutdownReadComplete.INSTANCE) {
                ctx.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            System.err.println(ctx.channel() + ": " + cause);
            ctx.close();
        }
    }
}
