package io.escrow.examples.bench;

import io.escrow.client.EscrowClient;
import io.escrow.daemon.main.Escrowd;
import io.escrow.examples.process.ChildProcess;
import io.escrow.examples.process.ChildProcesses;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A crash-safe echo server with a daemon of its own. The server can be ended in several ways, and is started again. */
final class SoakServer implements AutoCloseable {

    private static final List<String> OPTIONS =
            List.of("-XX:+UseSerialGC", "-Xms64m", "-Xmx64m", "-XX:+AlwaysPreTouch", "-XX:TieredStopAtLevel=1");
    private static final Pattern SERVING = Pattern.compile(HandoverEcho.SERVING + " port (\\d+).*");
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private final ChildProcesses children;
    private final ChildProcess daemon;
    private final int port;
    private ChildProcess server;

    private SoakServer(ChildProcesses children) throws IOException, InterruptedException {
        this.children = children;
        this.daemon = children.start(ChildProcesses.DAEMON_READY, OPTIONS, Escrowd.class, children.socket());
        this.server = startServer(HandoverEcho.SERVING, 0);
        Matcher serving = SERVING.matcher(server.readyLine());
        if (!serving.matches()) {
            throw new IOException("cannot read this line of the server: " + server.readyLine());
        }
        this.port = Integer.parseInt(serving.group(1));
    }

    static SoakServer start() throws IOException, InterruptedException {
        ChildProcesses children = ChildProcesses.open();
        try {
            return new SoakServer(children);
        } catch (IOException | InterruptedException | RuntimeException e) {
            children.close();
            throw e;
        }
    }

    private ChildProcess startServer(String ready, int atPort) throws IOException, InterruptedException {
        return children.start(
                ready,
                OPTIONS,
                HandoverEcho.class,
                children.socket(),
                Integer.toString(atPort),
                HandoverEcho.CRASH_SAFE);
    }

    int port() {
        return port;
    }

    ProcessSize daemonSize() throws IOException, InterruptedException {
        return ProcessSize.of(daemon.pid());
    }

    ProcessSize serverSize() throws IOException, InterruptedException {
        return ProcessSize.of(server.pid());
    }

    /** Hands the server over to a process that is already waiting. */
    void handOver() throws IOException, InterruptedException {
        ChildProcess next = startServer(HandoverEcho.WAITING, port);
        server.terminate();
        next.awaitLine(HandoverEcho.SERVING);
        server = next;
    }

    /** Kills the server while its next process is already waiting. */
    void killWithSuccessor() throws IOException, InterruptedException {
        ChildProcess next = startServer(HandoverEcho.WAITING, port);
        server.kill();
        next.awaitLine(HandoverEcho.SERVING);
        server = next;
    }

    /** Kills the server, starts it again, and returns the number of slots that were used in between. */
    long killAndRestart() throws IOException, InterruptedException, ExecutionException {
        server.kill();
        long used = 0;
        try (EscrowClient escrow = EscrowClient.builder()
                .path(children.socket())
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
        children.close();
    }
}
