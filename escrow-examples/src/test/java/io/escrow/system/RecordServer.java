package io.escrow.system;

import io.escrow.client.EscrowClient;
import io.escrow.handover.HandoverObserver;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.ServerHandoverBuilder;
import io.escrow.handover.protocol.HandoverEvent;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.CompletionException;
import java.util.stream.Collectors;

/**
 * Answers each record with the same, and is handed over on SIGTERM. Arguments: the socket; the names of its services; their
 * ports, 0 for any; crash-safe or not; in waves or not; the {@link Flaw}. Lists are separated by commas.
 */
public final class RecordServer {

    static final String WAITING = "Waiting";
    static final String SERVING = "Serving ";
    static final String FAILED = "Failed: ";

    private RecordServer() {}

    /** Runs until SIGTERM. */
    public static void main(String[] args) {
        Flaw flaw = Flaw.of(args[5]);
        ServerHandoverBuilder description = ServerHandover.with(EscrowClient.builder()
                        .path(args[0])
                        .connectTimeout(Duration.ofMinutes(5))
                        .onWaiting(waiting -> System.out.println(WAITING)))
                .observer(new HandoverObserver() {
                    @Override
                    public void queued(Duration time) {
                        flaw.at(Flaw.Point.SESSION);
                    }
                })
                .crashSafe(Boolean.parseBoolean(args[3]));
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory());
        String[] services = args[1].split(",", -1);
        String[] ports = args[2].split(",", -1);
        for (int i = 0; i < services.length; i++) {
            InetSocketAddress address =
                    new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(ports[i]));
            description.listen(services[i], bootstrap(group, RecordService.valueOf(services[i]), flaw), address);
        }
        if (Boolean.parseBoolean(args[4])) {
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

    private static ServerBootstrap bootstrap(EventLoopGroup group, RecordService service, Flaw flaw) {
        return new ServerBootstrap()
                .group(group)
                .option(ChannelOption.SO_BACKLOG, 4096)
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childOption(ChannelOption.AUTO_READ, service.isAutoRead())
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
                        ch.pipeline().addLast(new Restored(flaw));
                        service.addTo(ch.pipeline());
                    }
                });
    }

    private static void awaitSigterm(ServerHandover server) {
        Runtime.getRuntime()
                .addShutdownHook(new Thread(() -> System.out.println(server.handOver(Duration.ofSeconds(60))
                        .handle((report, failure) -> failure == null ? report : failure)
                        .join())));
        String ports = server.listeners().stream()
                .map(listener -> String.valueOf(((InetSocketAddress) listener.localAddress()).getPort()))
                .collect(Collectors.joining(","));
        // Only now: whoever reads this may send SIGTERM.
        System.out.println(SERVING + ports + " " + server.startReport());
    }

    private static final class Restored extends ChannelInboundHandlerAdapter {
        private final Flaw flaw;

        Restored(Flaw flaw) {
            this.flaw = flaw;
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event == HandoverEvent.ADOPTED || event == HandoverEvent.FOUND_AFTER_CRASH) {
                flaw.at(Flaw.Point.RESTORED);
            }
            ctx.fireUserEventTriggered(event);
        }
    }
}
