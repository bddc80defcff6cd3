package io.escrow.examples.grpc;

import io.escrow.client.DaemonLaunch;
import io.escrow.client.EscrowClient;
import io.escrow.handover.HandoverReport;
import io.escrow.handover.HandoverTransport;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.ServerHandoverBuilder;
import io.escrow.handover.StartReport;
import io.grpc.Server;
import io.grpc.netty.NettyServerBuilder;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.File;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Serves gRPC. The listener moves to the next process; the connections can't, and end by GOAWAY: their clients connect
 * again, to the next process, and no call fails.
 */
@Command(
        name = "escrow-grpc",
        description =
                "Serves gRPC: escrow.Echo/Echo sends a string back, escrow.Echo/Chat each string of a stream. Hands"
                        + " over on SIGTERM.",
        usageHelpAutoWidth = true)
public final class GrpcServer implements Callable<Integer> {

    private static final Duration DEADLINE = Duration.ofSeconds(30);
    private static final long DRAIN_SECONDS = 30;
    private static final long RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);

    @Option(
            names = "--escrow",
            paramLabel = "PATH",
            required = true,
            description = "path of the escrow's socket; a daemon is started if none is running")
    private String escrow;

    @Option(
            names = "--port",
            paramLabel = "PORT",
            description = "port to listen on, 0 for any; default: ${DEFAULT-VALUE}")
    private int port = 8080;

    @Option(
            names = "--crash-safe",
            description = "put the listener and each connection into the escrow, so that they outlive SIGKILL; the next"
                    + " process resets the connections, so that clients connect again at once")
    private boolean crashSafe;

    @Option(
            names = "--waves",
            paramLabel = "MILLIS",
            description = "as for other servers; no connection of gRPC moves, so that nothing is to be seen of it")
    private Integer waves;

    /** A certificate. */
    private static final class Pem {
        @Option(
                names = "--cert",
                paramLabel = "FILE",
                required = true,
                description = "serve TLS with this certificate and those that vouch for it, in PEM; with --key")
        private File certificate;

        @Option(
                names = "--key",
                paramLabel = "FILE",
                required = true,
                description = "its private key, in PEM (PKCS#8); with --cert")
        private File key;
    }

    @ArgGroup(exclusive = false)
    private Pem pem;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "print this and exit")
    @SuppressWarnings("UnusedVariable") // picocli reads it
    private boolean help;

    private final EchoService service = new EchoService();

    private GrpcServer() {}

    /**
     * Runs the server.
     *
     * @param args {@code --help} describes them
     */
    public static void main(String[] args) {
        int exitCode = new CommandLine(new GrpcServer())
                .setExecutionExceptionHandler((e, line, result) -> {
                    System.err.println("escrow-grpc: " + cause(e).getMessage());
                    return CommandLine.ExitCode.SOFTWARE;
                })
                .execute(args);
        if (exitCode != CommandLine.ExitCode.OK) {
            System.exit(exitCode);
        }
    }

    @Override
    public Integer call() throws IOException, InterruptedException, ExecutionException {
        ServerHandoverBuilder builder = ServerHandover.with(EscrowClient.builder()
                        .path(escrow)
                        .launch(DaemonLaunch.onDemand().replaceDeadSocket(true)))
                .crashSafe(crashSafe)
                .drain(Duration.ofSeconds(DRAIN_SECONDS));
        if (waves != null) {
            builder.waves(Duration.ofMillis(waves));
        }
        HandoverTransport handover = builder.transport();
        NettyServerBuilder grpc = NettyServerBuilder.forAddress(new InetSocketAddress(port));
        if (pem != null) {
            grpc.useTransportSecurity(pem.certificate, pem.key);
        }
        Server server = grpc.channelFactory(handover.serverChannels("grpc"))
                .bossEventLoopGroup(new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory()))
                .workerEventLoopGroup(new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory()))
                .addService(service.definition())
                .build()
                .start();
        ServerHandover running = handover.server().get();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> end(handover, server), "hand-over"));
        StartReport start = running.startReport();
        System.out.println("Serving port " + server.getPort() + " in process "
                + ProcessHandle.current().pid() + ": "
                + start.adoptedListeners().size() + " listeners adopted");
        server.awaitTermination();
        return CommandLine.ExitCode.OK;
    }

    /** Hands the server over, and ends the process. If a handover fails, the server continues and tries it again. */
    private void end(HandoverTransport handover, Server server) {
        while (true) {
            try {
                HandoverReport report = handover.handOver(DEADLINE).join();
                System.out.println(
                        "Handed over the listener; " + report.staying().size() + " connections get GOAWAY");
                break;
            } catch (CompletionException e) {
                System.err.println("Not handed over, still serving: " + cause(e).getMessage());
                LockSupport.parkNanos(RETRY_NANOS);
            }
        }
        service.endStreams();
        // Sends GOAWAY: calls that are under way are answered, and the next ones go to the next process.
        server.shutdown();
        try {
            if (!server.awaitTermination(DRAIN_SECONDS, TimeUnit.SECONDS)) {
                System.err.println("Some calls had no end after " + DRAIN_SECONDS + " s");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        // Without this, the process would exit with 143, as any process that ends on SIGTERM.
        Runtime.getRuntime().halt(0);
    }

    private static Throwable cause(Throwable e) {
        boolean wrapped =
                e instanceof ExecutionException || e instanceof CompletionException || e instanceof IOException;
        return wrapped && e.getCause() != null ? e.getCause() : e;
    }
}
