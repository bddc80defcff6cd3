package io.escrow.examples;

import io.escrow.InheritedSockets;
import io.escrow.client.DaemonLaunch;
import io.escrow.client.EscrowClient;
import io.escrow.client.EscrowClientBuilder;
import io.escrow.handover.HandoverReport;
import io.escrow.handover.Pauses;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.ServerHandoverBuilder;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.locks.LockSupport;
import picocli.CommandLine.Option;

/** Starts a server that is handed over on SIGTERM, to a process that waits already or is started later. */
abstract class HandoverCommand implements Callable<Integer> {

    /** How the line begins that tells that it serves. */
    static final String READY = "Serving port ";

    private static final Duration DEADLINE = Duration.ofSeconds(30);
    private static final Duration RETRY = Duration.ofSeconds(1);

    @Option(
            names = "--escrow",
            paramLabel = "PATH",
            required = true,
            description = "path of the escrow's socket; a daemon is started if there is none")
    private String escrow;

    @Option(
            names = "--no-create",
            description =
                    "start no daemon: for a server in a control group or a container, where it would not outlive it")
    private boolean noCreate;

    @Option(names = "--port", description = "port to listen on, 0 for any; default: ${DEFAULT-VALUE}")
    private int port = 8080;

    @Option(names = "--crash-safe", description = "escrow connections as they come, so that they outlive a SIGKILL")
    private boolean crashSafe;

    @Option(
            names = "--drain",
            paramLabel = "SECONDS",
            description = "how long connections that can't be moved may go on; default: ${DEFAULT-VALUE}")
    private int drain = 10;

    final EventLoopGroup group = new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory());
    private final CompletableFuture<ServerHandover> running = new CompletableFuture<>();

    /** Adds the listeners of this server. */
    abstract ServerHandoverBuilder describe(ServerHandoverBuilder builder, InetSocketAddress address)
            throws IOException, InterruptedException;

    /** Returns the running server, once it runs. */
    CompletableFuture<ServerHandover> running() {
        return running;
    }

    @Override
    public Integer call() throws IOException, InterruptedException, ExecutionException {
        EscrowClientBuilder client = EscrowClient.builder()
                .path(escrow)
                // The next version may start while this one runs: it waits here for its turn.
                .connectTimeout(Duration.ofDays(1));
        if (!noCreate) {
            client.launch(DaemonLaunch.onDemand().replaceDeadSocket(true));
        }
        ServerHandover server = describe(ServerHandover.with(client), new InetSocketAddress(port))
                // Whoever starts this process with sockets means them for it: no option is needed.
                .inheritListeners(InheritedSockets.ofThisProcess())
                .crashSafe(crashSafe)
                .drain(Duration.ofSeconds(drain))
                .start()
                .get();
        running.complete(server);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> end(server), "hand-over"));
        System.out.println(READY
                + ((InetSocketAddress) server.listeners().get(0).localAddress()).getPort()
                + " in process " + ProcessHandle.current().pid()
                + ": " + server.startReport().adopted() + " connections adopted, "
                + server.startReport().foundAfterCrash() + " found after a crash"
                + pauses(server.startReport().pauses()));
        group.terminationFuture().await();
        return 0;
    }

    private static String pauses(Pauses pauses) {
        return pauses.measured() == 0
                ? ""
                : "; they paused for " + pauses.median().toMillis() + " ms, at most "
                        + pauses.max().toMillis() + " ms";
    }

    /** Hands the server over, and ends the process; if that fails, goes on serving and tries again. */
    private static void end(ServerHandover server) {
        while (!tryToHandOver(server)) {
            System.err.println("Still serving");
            LockSupport.parkNanos(RETRY.toNanos());
        }
        // A process that is ended by SIGTERM would exit with 143.
        Runtime.getRuntime().halt(0);
    }

    private static boolean tryToHandOver(ServerHandover server) {
        try {
            HandoverReport report = server.handOver(DEADLINE).join();
            System.out.println("Handed over " + report.connections() + " connections; "
                    + report.staying().size() + " stay until they end");
            server.drained().join();
            return true;
        } catch (CompletionException e) {
            System.err.println("Not handed over: " + e.getCause().getMessage());
            return false;
        }
    }
}
