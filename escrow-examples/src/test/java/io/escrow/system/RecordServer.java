package io.escrow.system;

import io.escrow.client.EscrowClient;
import io.escrow.handover.HandoverObserver;
import io.escrow.handover.HandoverTransport;
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
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * Answers each record with the same, and is handed over on SIGTERM. Arguments: the socket; the names of its services; their
 * ports, 0 for any; crash-safe or not; in waves or not; the {@link Flaw}; whether the bootstraps of the services bind their
 * listeners themselves, as a framework does. Lists are separated by commas.
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
        Map<String, InetSocketAddress> addresses = new LinkedHashMap<>();
        for (int i = 0; i < services.length; i++) {
            addresses.put(
                    services[i], new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(ports[i])));
        }
        Function<String, ServerBootstrap> bootstraps =
                service -> bootstrap(group, RecordService.valueOf(service), flaw);
        if (Boolean.parseBoolean(args[4])) {
            description.waves(Duration.ofMillis(30));
        }
        ServerHandover server;
        try {
            server = Boolean.parseBoolean(args[6])
                    ? startHosted(description, addresses, bootstraps).join()
                    : start(description, addresses, bootstraps).join();
        } catch (CompletionException e) {
            System.out.println(FAILED + e.getCause());
            Runtime.getRuntime().halt(1);
            throw e;
        }
        awaitSigterm(server);
    }

    private static CompletableFuture<ServerHandover> start(
            ServerHandoverBuilder description,
            Map<String, InetSocketAddress> addresses,
            Function<String, ServerBootstrap> bootstraps) {
        addresses.forEach((name, address) -> description.listen(name, bootstraps.apply(name), address));
        return description.start();
    }

    private static CompletableFuture<ServerHandover> startHosted(
            ServerHandoverBuilder description,
            Map<String, InetSocketAddress> addresses,
            Function<String, ServerBootstrap> bootstraps) {
        HandoverTransport transport = description.transport();
        // All names first; each bind then waits for the one before.
        Map<String, ServerBootstrap> hosted = new LinkedHashMap<>();
        addresses.forEach((name, address) ->
                hosted.put(name, bootstraps.apply(name).channelFactory(transport.serverChannels(name))));
        hosted.forEach((name, bootstrap) -> bootstrap.bind(addresses.get(name)).syncUninterruptibly());
        return transport.server();
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
