package io.escrow.examples.bench;

import io.escrow.examples.process.ChildProcess;
import io.escrow.examples.process.ChildProcesses;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeoutException;
import java.util.function.ToDoubleFunction;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Measures the cost of crash-safe mode for a server with short connections. */
@Command(
        name = "accept",
        description =
                "Measures how many short connections a second a server accepts, answers and closes: with crash-safe"
                        + " mode and without it, in turn.")
final class BenchAccept implements Callable<Integer> {

    private static final List<String> SERVER_OPTIONS = List.of("-XX:+UseSerialGC", "-Xms512m", "-Xmx512m");
    private static final String ROW = "%-8s %8s %8s %7s %8s %8s %8s %8s %8s %8s %12s%n";

    /** Which side closes a connection when its request is answered. */
    enum Closer {
        CLIENT,
        SERVER;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    @Option(names = "--rounds", paramLabel = "N", description = "number of rounds; default: ${DEFAULT-VALUE}")
    private int rounds = 9;

    @Option(
            names = "--time",
            paramLabel = "MILLIS",
            description = "how long each of the two servers is measured in a round; default: ${DEFAULT-VALUE}")
    private int millis = 3000;

    @Option(
            names = "--warm-up",
            paramLabel = "MILLIS",
            description = "how long each of the two servers is warmed up; default: ${DEFAULT-VALUE}")
    private int warmUpMillis = 10_000;

    @Option(names = "--connections", paramLabel = "N", description = "connections at a time; default: ${DEFAULT-VALUE}")
    private int connections = 100;

    @Option(
            names = "--closed-by",
            paramLabel = "SIDE",
            description = "side that closes: ${COMPLETION-CANDIDATES}; default: ${DEFAULT-VALUE}")
    private Closer closer = Closer.CLIENT;

    /** A server, and the escrow that it uses. */
    private record Subject(ChildProcess daemon, ChildProcess server, int port) {}

    /** Times are in microseconds. Processor times are those of one connection. */
    private record Sample(double rate, double p50, double p99, double serverTime, double daemonTime) {
        boolean isEmpty() {
            return rate == 0;
        }
    }

    /** One round, without crash-safe mode and with it. */
    private record Round(Sample off, Sample on) {
        double ratio() {
            return on.rate / off.rate;
        }
    }

    @Override
    public Integer call() throws IOException, InterruptedException, TimeoutException {
        List<Round> measured = new ArrayList<>();
        try (ChildProcesses children = ChildProcesses.open();
                AcceptClients clients = new AcceptClients(connections, closer == Closer.SERVER)) {
            Subject off = start(children, "off");
            Subject on = start(children, AcceptEcho.CRASH_SAFE);
            System.err.println("bench: warming up");
            clients.run(off.port, warmUpMillis);
            clients.run(on.port, warmUpMillis);
            printHeader();
            for (int i = 1; i <= rounds; i++) {
                // Alternates, so that neither server is always measured first.
                Sample first = measure(clients, i % 2 == 0 ? on : off);
                Sample second = measure(clients, i % 2 == 0 ? off : on);
                Round round = i % 2 == 0 ? new Round(second, first) : new Round(first, second);
                if (first.isEmpty() || second.isEmpty()) {
                    System.err.printf(
                            "bench: round %d is left out: a server answered nothing within %,d ms%n", i, millis);
                    continue;
                }
                measured.add(round);
                printRow(String.valueOf(i), List.of(round));
            }
        }
        if (measured.isEmpty()) {
            System.err.println("bench: no round is left; a longer --time is needed");
            return CommandLine.ExitCode.SOFTWARE;
        }
        printRow("median", measured);
        return CommandLine.ExitCode.OK;
    }

    private Subject start(ChildProcesses children, String mode) throws IOException, InterruptedException {
        String socket = children.socket() + "-" + mode;
        ChildProcess daemon = children.startEscrowd(socket);
        ChildProcess server = children.start(
                AcceptEcho.SERVING,
                SERVER_OPTIONS,
                AcceptEcho.class,
                socket,
                mode,
                closer == Closer.SERVER ? AcceptEcho.CLOSING : "not-closing");
        int port = Integer.parseInt(server.readyLine().substring(AcceptEcho.SERVING.length()));
        return new Subject(daemon, server, port);
    }

    private Sample measure(AcceptClients clients, Subject subject)
            throws IOException, InterruptedException, TimeoutException {
        Duration serverTime = subject.server.processorTime();
        Duration daemonTime = subject.daemon.processorTime();
        AcceptClients.Result result = clients.run(subject.port, millis);
        serverTime = subject.server.processorTime().minus(serverTime);
        daemonTime = subject.daemon.processorTime().minus(daemonTime);
        double answered = result.micros().getTotalCount();
        return new Sample(
                result.rate(),
                result.micros().getValueAtPercentile(50),
                result.micros().getValueAtPercentile(99),
                serverTime.toNanos() / 1e3 / answered,
                daemonTime.toNanos() / 1e3 / answered);
    }

    private void printHeader() {
        System.out.printf(
                "%,d connections at a time, one request of %d bytes each, closed by the %s; crash-safe mode off and on%n%n",
                connections, AcceptClients.REQUEST_LENGTH, closer);
        System.out.printf(ROW, "", "a second", "", "", "p50, us", "", "p99, us", "", "cpu, us", "", "escrowd, us");
        System.out.printf(ROW, "round", "off", "on", "on/off", "off", "on", "off", "on", "off", "on", "on");
    }

    private static void printRow(String name, List<Round> rounds) {
        System.out.printf(
                ROW,
                name,
                text("%,.0f", rounds, round -> round.off.rate),
                text("%,.0f", rounds, round -> round.on.rate),
                text("%.3f", rounds, Round::ratio),
                text("%,.0f", rounds, round -> round.off.p50),
                text("%,.0f", rounds, round -> round.on.p50),
                text("%,.0f", rounds, round -> round.off.p99),
                text("%,.0f", rounds, round -> round.on.p99),
                text("%.1f", rounds, round -> round.off.serverTime),
                text("%.1f", rounds, round -> round.on.serverTime),
                text("%.1f", rounds, round -> round.on.daemonTime));
    }

    private static String text(String format, List<Round> rounds, ToDoubleFunction<Round> value) {
        double[] sorted = rounds.stream().mapToDouble(value).sorted().toArray();
        return String.format(format, sorted[sorted.length / 2]);
    }
}
