package io.escrow.examples;

import io.escrow.client.EscrowClient;
import io.escrow.daemon.main.Escrowd;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A daemon, and a crash-safe echo server, which is ended in one way or another and started again. */
final class SoakServer implements AutoCloseable {

    private static final List<String> OPTIONS =
            List.of("-XX:+UseSerialGC", "-Xms64m", "-Xmx64m", "-XX:+AlwaysPreTouch", "-XX:TieredStopAtLevel=1");
    private static final Pattern SERVING = Pattern.compile(HandoverEcho.SERVING + " port (\\d+).*");
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private final Stage stage;
    private final ChildProcess daemon;
    private final int port;
    private ChildProcess server;

    private SoakServer(Stage stage) throws IOException, InterruptedException {
        this.stage = stage;
        this.daemon = stage.start("Listening on", OPTIONS, Escrowd.class, stage.socket());
        this.server = startServer(HandoverEcho.SERVING, 0);
        Matcher serving = SERVING.matcher(server.readyLine());
        if (!serving.matches()) {
            throw new IOException("the server says: " + server.readyLine());
        }
        this.port = Integer.parseInt(serving.group(1));
    }

    static SoakServer start() throws IOException, InterruptedException {
        Stage stage = Stage.open();
        try {
            return new SoakServer(stage);
        } catch (IOException | InterruptedException | RuntimeException e) {
            stage.close();
            throw e;
        }
    }

    private ChildProcess startServer(String ready, int atPort) throws IOException, InterruptedException {
        return stage.start(ready, OPTIONS, HandoverEcho.class, stage.socket(), Integer.toString(atPort), "crash-safe");
    }

    int port() {
        return port;
    }

    ProcessSize daemonSize() throws IOException {
        return ProcessSize.of(daemon.pid());
    }

    ProcessSize serverSize() throws IOException {
        return ProcessSize.of(server.pid());
    }

    /** Hands the server over to a process that waits already. */
    void handOver() throws IOException, InterruptedException {
        ChildProcess next = startServer(HandoverEcho.WAITING, port);
        server.terminate();
        next.awaitLine(HandoverEcho.SERVING);
        server = next;
    }

    /** Kills the server while its next process waits already. */
    void killWithSuccessor() throws IOException, InterruptedException {
        ChildProcess next = startServer(HandoverEcho.WAITING, port);
        server.kill();
        next.awaitLine(HandoverEcho.SERVING);
        server = next;
    }

    /** Kills the server, starts it again, and returns how many slots were used in between. */
    long killAndRestart() throws IOException, InterruptedException, ExecutionException {
        server.kill();
        long used = 0;
        try (EscrowClient escrow = EscrowClient.builder()
                .path(stage.socket())
                .connectTimeout(TIMEOUT)
                .connect()
                .get()) {
            for (int tag = 0; tag < escrow.tags(); tag++) {
                used += escrow.tag(tag).get().used();
            }
        }
        server = startServer(HandoverEcho.SERVING, port);
        return used;
    }

    @Override
    public void close() {
        stage.close();
    }
}
