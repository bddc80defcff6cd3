package io.escrow.examples;

import io.escrow.examples.process.ChildProcess;
import io.escrow.examples.process.ChildProcesses;
import io.escrow.examples.records.RecordClients;
import io.escrow.examples.records.RecordStream;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.HdrHistogram.Histogram;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Kills a server under load, starts it again, and shows what its clients notice. */
@Command(
        name = "demo",
        description = "Starts an escrow, an echo server and its clients, kills the server three times with SIGKILL, and"
                + " starts it again each time. Then prints what the clients noticed. Takes less than a minute.")
final class Demo implements Callable<Integer> {

    private static final int SERVED_MILLIS = 2_000;
    private static final Duration TIMEOUT = Duration.ofSeconds(60);
    /** With these options Java starts quickly. */
    private static final List<String> SERVER_OPTIONS = List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1");

    @Option(names = "--clients", paramLabel = "N", description = "number of clients; default: ${DEFAULT-VALUE}")
    private int count = 200;

    @Option(
            names = "--kills",
            paramLabel = "N",
            description = "how often the server is killed; default: ${DEFAULT-VALUE}")
    private int kills = 3;

    @Option(
            names = "--delay",
            paramLabel = "MILLIS",
            description = "how long the server waits before each answer; default: ${DEFAULT-VALUE}")
    private int delay = 10;

    @Spec
    private CommandSpec spec;

    private final long start = System.nanoTime();
    private final Histogram pauses = new Histogram(3);

    @Override
    public Integer call() throws IOException, InterruptedException, ExecutionException, TimeoutException {
        try (ChildProcesses children = ChildProcesses.open();
                RecordClients clients = new RecordClients()) {
            ChildProcess daemon = children.startEscrowd(children.socket());
            print("escrowd is process " + daemon.pid());
            ChildProcess server = startServer(children, 0);
            int port = port(server);
            clients.connect("127.0.0.1", port, count);
            await(clients.nextAnswers());
            print(count + " clients are served and send all the time");

            for (int kill = 1; kill <= kills; kill++) {
                serve(clients);
                server = killAndRestart(children, clients, server, port, kill);
            }
            serve(clients);
            return finish(clients);
        }
    }

    private ChildProcess startServer(ChildProcesses children, int port) throws IOException, InterruptedException {
        ChildProcess server = children.start(
                EchoServer.READY,
                SERVER_OPTIONS,
                spec.root().userObject().getClass(),
                "echo-server",
                "--quiet",
                "--port=" + port,
                "--delay=" + delay,
                children.socket());
        print("the server is process " + server.pid() + ": " + server.readyLine());
        return server;
    }

    private static int port(ChildProcess server) {
        return Integer.parseInt(server.readyLine().replaceAll("\\D*(\\d+).*", "$1"));
    }

    /** Lets the server serve for a while. Fails at once when a client fails. */
    private static void serve(RecordClients clients) throws InterruptedException, ExecutionException {
        try {
            clients.failure().get(SERVED_MILLIS, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            // No client has failed.
        }
    }

    private ChildProcess killAndRestart(
            ChildProcesses children, RecordClients clients, ChildProcess server, int port, int kill)
            throws IOException, InterruptedException, ExecutionException, TimeoutException {
        long lostBefore = clients.lost();
        server.kill();
        print(String.format("killed the server, %d of %d, after %,d records", kill, kills, clients.verified()));
        CompletableFuture<List<Long>> answers = clients.nextAnswers();
        ChildProcess next = startServer(children, port);
        Histogram pausesNow = new Histogram(3);
        await(answers).forEach(nanos -> pausesNow.recordValue(TimeUnit.NANOSECONDS.toMicros(nanos)));
        pauses.add(pausesNow);
        print(String.format(
                "all %d clients are served again after %.0f ms at most; %,d records were read and never answered",
                count, pausesNow.getMaxValue() / 1e3, clients.lost() - lostBefore));
        return next;
    }

    private int finish(RecordClients clients)
            throws IOException, InterruptedException, ExecutionException, TimeoutException {
        List<RecordStream> streams = await(clients.finish());
        for (RecordStream stream : streams) {
            if (stream.verified() != stream.records() || stream.gaps() > kills) {
                throw new IOException(String.format(
                        "%d records sent, %d verified, %d gaps (expected: <= %d, one for each kill)",
                        stream.records(), stream.verified(), stream.gaps(), kills));
            }
        }
        System.out.printf("%n%-44s %d of %d%n", "connections kept", streams.size(), count);
        System.out.printf("%-44s %,d%n", "records verified", clients.verified());
        System.out.printf("%-44s %,d%n", "bytes verified", clients.verifiedBytes());
        System.out.printf("%-44s 0%n", "wrong bytes");
        System.out.printf("%-44s %,d%n", "read and not answered, noticed, sent again", clients.lost());
        System.out.printf(
                "%-44s %.0f / %.0f / %.0f ms%n",
                "pause p50 / p99 / max",
                pauses.getValueAtPercentile(50) / 1e3,
                pauses.getValueAtPercentile(99) / 1e3,
                pauses.getMaxValue() / 1e3);
        return 0;
    }

    private static <T> T await(CompletableFuture<T> future)
            throws InterruptedException, ExecutionException, TimeoutException {
        try {
            return future.get(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            TimeoutException clearer =
                    new TimeoutException("not all clients were answered within " + TIMEOUT.toSeconds() + " s");
            clearer.initCause(e);
            throw clearer;
        }
    }

    private void print(String text) {
        System.out.printf("%5.1f s  %s%n", (System.nanoTime() - start) / 1e9, text);
    }
}
