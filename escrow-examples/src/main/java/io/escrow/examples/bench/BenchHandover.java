package io.escrow.examples.bench;

import io.escrow.examples.process.ChildProcess;
import io.escrow.examples.process.ChildProcesses;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.HdrHistogram.Histogram;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Measures the pause that clients see when their server is handed over to a process that is already waiting. The pauses
 * that the servers report are printed beside it.
 */
@Command(
        name = "handover",
        description =
                "Measures the pause that clients see when their server is handed over to a process that is already"
                        + " waiting.")
final class BenchHandover implements Callable<Integer> {

    private static final Pattern HANDED_OVER = Pattern.compile(".* (\\d+), resting (\\d+) us, storing (\\d+) us");
    private static final Pattern SERVING = Pattern.compile(
            ".* port (\\d+), (\\d+) adopted, (\\d+) refused, in (\\d+) us, pauses (\\d+) and (\\d+) ms");
    private static final List<String> SERVER_OPTIONS = List.of("-XX:+UseSerialGC", "-Xms512m", "-Xmx512m");

    /** Where in a row the 99th percentile and the rate are. */
    private static final int P99 = 1;

    private static final int RATE = 8;

    /** How long the sending connections send before a handover, so that they are in their rhythm when it comes. */
    private static final int SETTLE_MILLIS = 2000;

    @Option(names = "--connections", paramLabel = "N", description = "number of connections; default: ${DEFAULT-VALUE}")
    private int connections = 10_000;

    @Option(names = "--talking", paramLabel = "N", description = "how many of them send; default: ${DEFAULT-VALUE}")
    private int talking = 1000;

    @Option(
            names = "--interval",
            paramLabel = "MILLIS",
            description = "how often each of those sends; default: ${DEFAULT-VALUE}")
    private int interval = 50;

    @Option(names = "--rounds", paramLabel = "N", description = "handovers to measure; default: ${DEFAULT-VALUE}")
    private int rounds = 5;

    @Option(names = "--crash-safe", description = "run the server in crash-safe mode")
    private boolean crashSafe;

    @Option(names = "--at-once", description = "move all connections at once instead of in waves")
    private boolean atOnce;

    @Option(names = "--tls", description = "measure TLS connections, too, behind those without")
    private boolean tls;

    @Option(
            names = "--svg",
            paramLabel = "FILE",
            description = "file for the picture of the pauses, with --tls of those of TLS; default: ${DEFAULT-VALUE}")
    private Path picture = Path.of("handover.svg");

    private List<long[]> rows = new ArrayList<>();
    private int lost;

    @Override
    public Integer call() throws IOException, InterruptedException, ExecutionException, TimeoutException {
        System.out.printf(
                "%,d connections, of which %,d send once every %d ms; milliseconds%n%n",
                connections, talking, interval);
        System.out.printf(
                "%-10s %8s %8s %8s %10s %10s %10s %10s %10s %14s%n",
                "round",
                "p50",
                "p99",
                "max",
                "server p50",
                "server max",
                "resting",
                "storing",
                "adopting",
                "connections/s");
        long[] plain = measure("");
        if (tls) {
            rows = new ArrayList<>();
            long[] encrypted = measure("tls ");
            System.out.printf(
                    "%nTLS beside plaintext: p99 %.2f times, connections/s %.2f times%n",
                    (double) encrypted[P99] / plain[P99], (double) encrypted[RATE] / plain[RATE]);
        }
        System.out.printf("%n%,d connections lost; the pauses are drawn in %s%n", lost, picture);
        return lost == 0 ? 0 : 1;
    }

    /** Measures all rounds, prints them, and returns the medians. */
    private long[] measure(String kind) throws IOException, InterruptedException, ExecutionException, TimeoutException {
        boolean encrypted = !kind.isEmpty();
        Histogram all = new Histogram(3);
        try (ChildProcesses children = ChildProcesses.open();
                PauseClients clients = new PauseClients(encrypted ? BenchTls.client() : null)) {
            children.startEscrowd(children.socket());
            List<String> modes = new ArrayList<>();
            if (encrypted) {
                Path key = children.file("key.p12");
                BenchTls.makeKey(key);
                modes.add(HandoverEcho.TLS + key);
            }
            ChildProcess server = startServer(children, HandoverEcho.SERVING, 0, modes);
            int port = Integer.parseInt(match(SERVING, server.readyLine()).group(1));
            clients.connect(port, connections);
            clients.startSending(talking, interval);
            for (int round = 1; round <= rounds; round++) {
                ChildProcess next = startServer(children, HandoverEcho.WAITING, port, modes);
                Thread.sleep(SETTLE_MILLIS);
                clients.resetLongestWaits();
                server.terminate();
                Matcher old = match(HANDED_OVER, server.awaitLine(HandoverEcho.HANDED_OVER));
                Matcher adopted = match(SERVING, next.awaitLine(HandoverEcho.SERVING));
                clients.askAll();
                Histogram pauses = clients.longestWaits();
                all.add(pauses);
                report(kind + round, pauses, old, adopted);
                server = next;
            }
            lost += connections - clients.askAll();
        }
        long[] median = median();
        printRow(kind + "median", median);
        PauseChart.write(
                picture, all, String.format("%,d %sconnections handed over, %d times", connections, kind, rounds));
        return median;
    }

    private ChildProcess startServer(ChildProcesses children, String ready, int port, List<String> modes)
            throws IOException, InterruptedException {
        List<String> arguments = new ArrayList<>(List.of(children.socket(), String.valueOf(port)));
        arguments.addAll(modes);
        if (crashSafe) {
            arguments.add(HandoverEcho.CRASH_SAFE);
        }
        if (!atOnce) {
            arguments.add(HandoverEcho.WAVES);
        }
        return children.start(ready, SERVER_OPTIONS, HandoverEcho.class, arguments.toArray(String[]::new));
    }

    private void report(String round, Histogram pauses, Matcher old, Matcher adopted) {
        long resting = Long.parseLong(old.group(2));
        long storing = Long.parseLong(old.group(3));
        long adopting = Long.parseLong(adopted.group(4));
        // In waves the new process adopts while the old one stores.
        long took = resting + storing + (atOnce ? adopting : 0);
        long rate = Long.parseLong(adopted.group(2)) * 1_000_000 / took;
        long[] row = {
            pauses.getValueAtPercentile(50),
            pauses.getValueAtPercentile(99),
            pauses.getMaxValue(),
            Long.parseLong(adopted.group(5)) * 1000,
            Long.parseLong(adopted.group(6)) * 1000,
            resting,
            storing,
            adopting,
            rate
        };
        rows.add(row);
        printRow(round, row);
    }

    private long[] median() {
        long[] medians = new long[rows.get(0).length];
        for (int i = 0; i < medians.length; i++) {
            int column = i;
            medians[i] = rows.stream().mapToLong(row -> row[column]).sorted().toArray()[rows.size() / 2];
        }
        return medians;
    }

    private static void printRow(String name, long[] row) {
        System.out.printf("%-10s", name);
        for (int i = 0; i < row.length - 1; i++) {
            System.out.printf(i < 3 ? " %8.0f" : " %10.0f", row[i] / 1e3);
        }
        System.out.printf(" %,14d%n", row[row.length - 1]);
    }

    private static Matcher match(Pattern pattern, String line) throws IOException {
        Matcher matcher = pattern.matcher(line);
        if (!matcher.matches()) {
            throw new IOException("cannot read this line of a server: " + line);
        }
        return matcher;
    }
}
