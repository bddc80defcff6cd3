package io.escrow.examples.vertx;

import io.escrow.client.DaemonLaunch;
import io.escrow.client.EscrowClient;
import io.escrow.examples.tls.TlsOptions;
import io.escrow.handover.HandoverReport;
import io.escrow.handover.HandoverTransport;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.ServerHandoverBuilder;
import io.escrow.handover.StartReport;
import io.escrow.vertx.EscrowVertxTransport;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.ServerWebSocket;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Serves HTTP/1.1 and WebSocket with Vert.x. Only {@link #call} and {@link #end} know of the handover. */
@Command(
        name = "escrow-vertx",
        description =
                "Serves HTTP/1.1 and WebSocket with Vert.x: GET / returns the number of the process, POST /echo returns"
                        + " the body, GET /slow?ms=500 answers after that time, and /ws echoes. Hands over on SIGTERM.",
        usageHelpAutoWidth = true)
public final class VertxServer implements Callable<Integer> {

    private static final Duration DEADLINE = Duration.ofSeconds(30);
    private static final long IDLE_SECONDS = 300;
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

    @Mixin
    private final TlsOptions tls = new TlsOptions();

    @Option(
            names = "--crash-safe",
            description = "put each connection into the escrow when it is accepted, so that it survives SIGKILL")
    private boolean crashSafe;

    @Option(
            names = "--waves",
            paramLabel = "MILLIS",
            description = "if the next process is already waiting, move the connections in waves that pause for about"
                    + " this time each; default: all connections at once")
    private Integer waves;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "print this and exit")
    @SuppressWarnings("UnusedVariable") // picocli reads it
    private boolean help;

    private VertxServer() {}

    /**
     * Runs the server.
     *
     * @param args {@code --help} describes them
     */
    public static void main(String[] args) {
        int exitCode = new CommandLine(new VertxServer())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionExceptionHandler((e, line, result) -> {
                    System.err.println("escrow-vertx: " + cause(e).getMessage());
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
                .crashSafe(crashSafe);
        if (waves != null) {
            builder.waves(Duration.ofMillis(waves));
        }
        tls.prepare(builder);
        HandoverTransport handover = builder.transport();
        Vertx vertx = Vertx.builder()
                .withTransport(EscrowVertxTransport.of(handover, "http"))
                .build();
        HttpServerOptions options = new HttpServerOptions()
                .setPort(port)
                .setCompressionSupported(true)
                .setIdleTimeout((int) IDLE_SECONDS)
                // The first bytes of a connection may begin HTTP/2 otherwise, which can't be moved.
                .setHttp2ClearTextEnabled(false);
        if (tls.context() != null) {
            OwnSslContext.use(tls.context(), options);
        }
        HttpServer server = vertx.createHttpServer(options)
                .requestHandler(request -> answer(vertx, request))
                .webSocketHandler(VertxServer::echo);
        server.listen().toCompletionStage().toCompletableFuture().get();
        ServerHandover running = handover.server().get();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> end(handover, running, server), "hand-over"));
        StartReport start = running.startReport();
        System.out.println("Serving port " + server.actualPort() + " in process "
                + ProcessHandle.current().pid() + ": " + start.adopted() + " connections adopted, "
                + start.foundAfterCrash() + " found after a crash");
        return CommandLine.ExitCode.OK;
    }

    /** Hands the server over, and ends the process. If a handover fails, the server continues and tries it again. */
    private static void end(HandoverTransport handover, ServerHandover running, HttpServer server) {
        while (true) {
            try {
                HandoverReport report = handover.handOver(DEADLINE).join();
                System.out.println("Handed over " + report.connections() + " connections; "
                        + report.staying().size() + " stay until they end");
                break;
            } catch (CompletionException e) {
                System.err.println("Not handed over, still serving: " + cause(e).getMessage());
                LockSupport.parkNanos(RETRY_NANOS);
            }
        }
        running.drained().join();
        server.close().toCompletionStage().toCompletableFuture().join();
        // Without this, the process would exit with 143, as any process that ends on SIGTERM.
        Runtime.getRuntime().halt(0);
    }

    private static Throwable cause(Throwable e) {
        return (e instanceof ExecutionException || e instanceof CompletionException) && e.getCause() != null
                ? e.getCause()
                : e;
    }

    private static void answer(Vertx vertx, HttpServerRequest request) {
        String name = "escrow-vertx, process " + ProcessHandle.current().pid() + "\n";
        switch (request.method() + " " + request.path()) {
            case "GET /" -> request.response().end(name);
            case "GET /slow" ->
                vertx.setTimer(
                        millis(request.getParam("ms", "500")),
                        timer -> request.response().end("slow answer of " + name));
            case "POST /echo" ->
                request.body().onSuccess(body -> request.response().end(body));
            default -> request.response().setStatusCode(404).end("not found\n");
        }
    }

    private static long millis(String text) {
        return text.matches("[1-9]\\d{0,4}") ? Long.parseLong(text) : 500;
    }

    private static void echo(ServerWebSocket socket) {
        socket.textMessageHandler(socket::writeTextMessage);
        socket.binaryMessageHandler(socket::writeBinaryMessage);
    }
}
