package io.escrow.examples.mqtt;

import io.escrow.client.DaemonLaunch;
import io.escrow.client.EscrowClient;
import io.escrow.examples.tls.TlsOptions;
import io.escrow.handover.HandoverReport;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.ServerHandoverBuilder;
import io.escrow.handover.StartReport;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.handler.codec.mqtt.MqttDecoder;
import io.netty.handler.codec.mqtt.MqttEncoder;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.locks.LockSupport;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Starts a broker, and hands it over on SIGTERM. */
@Command(
        name = "escrow-mqtt",
        description =
                "A broker of MQTT 3.1.1 and 5 with QoS 0 and 1, retained messages, clean and kept sessions. Hands over"
                        + " on SIGTERM.",
        mixinStandardHelpOptions = true)
public final class MqttBroker implements Callable<Integer> {

    /** The longest packet in bytes, so that what is stored of it fits into one slot. */
    static final int MAX_PACKET = 30 * 1024;

    /** Large enough that a packet is rarely read in part: after a crash, a part that was read is gone. */
    private static final int READ_BYTES = 64 * 1024;

    private static final Duration DEADLINE = Duration.ofSeconds(30);
    private static final Duration RETRY_INTERVAL = Duration.ofSeconds(1);

    @Option(
            names = "--escrow",
            required = true,
            paramLabel = "PATH",
            description = "socket of the escrow; started if there is none. The state of the broker is in a second one,"
                    + " PATH.state")
    private String escrow;

    @Option(
            names = "--port",
            defaultValue = "1883",
            paramLabel = "P",
            description = "default: ${DEFAULT-VALUE}; 0 for any")
    private int port;

    @Mixin
    private final TlsOptions tls = new TlsOptions();

    @Option(names = "--crash-safe", description = "connections survive SIGKILL, too")
    private boolean crashSafe;

    @Option(
            names = "--waves",
            paramLabel = "MS",
            description =
                    "move connections in waves of about this time, in milliseconds; default: all at once. The first"
                            + " wave waits for the last one, because clients talk to each other")
    private Integer waves;

    private MqttBroker() {}

    /** Runs the broker. */
    public static void main(String[] args) {
        System.exit(new CommandLine(new MqttBroker())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .execute(args));
    }

    @Override
    public Integer call() throws IOException, InterruptedException, ExecutionException {
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        CompletableFuture<ServerHandover> started = new CompletableFuture<>();
        Broker broker = new Broker(group.next(), channel -> started.thenCompose(server -> server.checkpoint(channel)));
        ServerHandoverBuilder handover = ServerHandover.with(EscrowClient.builder()
                        .path(escrow)
                        .launch(DaemonLaunch.onDemand().replaceDeadSocket(true)))
                .listen("mqtt", bootstrap(group, broker, tls), new InetSocketAddress(port))
                .crashSafe(crashSafe)
                .drain(Duration.ofSeconds(1));
        if (waves != null) {
            handover.waves(Duration.ofMillis(waves));
        }
        tls.prepare(handover);
        ServerHandover server = handover.start().get();
        started.complete(server);
        StateStore store = StateStore.open(escrow + ".state").get();
        broker.begin(store).get();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> end(server, store), "hand-over"));
        StartReport report = server.startReport();
        System.out.println("Serving port "
                + ((InetSocketAddress) server.listeners().get(0).localAddress()).getPort() + " in process "
                + ProcessHandle.current().pid() + ": " + report.adopted() + " connections adopted, "
                + report.foundAfterCrash() + " found after a crash");
        group.terminationFuture().await();
        return 0;
    }

    /** Describes the connections; nothing here is for the handover. */
    static ServerBootstrap bootstrap(EventLoopGroup group, Broker broker, TlsOptions tls) {
        return new ServerBootstrap()
                .group(group)
                .option(ChannelOption.SO_BACKLOG, 4096)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childOption(ChannelOption.RECVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(READ_BYTES))
                .childHandler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        tls.initialise(channel);
                        channel.pipeline()
                                .addLast(new MqttDecoder(MAX_PACKET), MqttEncoder.INSTANCE, new BrokerHandler(broker));
                    }
                });
    }

    /** Hands the broker over, and ends the process. If a handover fails, the broker continues and tries it again. */
    private static void end(ServerHandover server, StateStore store) {
        while (!handOver(server)) {
            LockSupport.parkNanos(RETRY_INTERVAL.toNanos());
        }
        // Last: the next process works when it has the state.
        store.close().join();
        Runtime.getRuntime().halt(0);
    }

    private static boolean handOver(ServerHandover server) {
        try {
            HandoverReport report = server.handOver(DEADLINE).join();
            server.drained().join();
            System.out.println("Handed over " + report.connections() + " connections; "
                    + report.staying().size() + " ended");
            return true;
        } catch (CompletionException e) {
            System.err.println("Not handed over, still serving: " + e.getCause().getMessage());
            return false;
        }
    }
}
