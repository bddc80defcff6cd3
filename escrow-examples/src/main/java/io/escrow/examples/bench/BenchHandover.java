package io.escrow.examples.bench;

import io.escrow.examples.process.Processors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Measures the pause that clients see when their server is handed over to a process that is already waiting. The pauses that the
 * servers report, and their garbage collections, are printed beside it.
 */
@Command(
        name = "handover",
        description =
                "Measures the pause that clients see when their server is handed over to a process that is already"
                        + " waiting: the longest wait of each connection for what it sent until the handover was done.")
final class BenchHandover implements Callable<Integer> {

    static final List<String> COLUMNS = List.of(
            "p50",
            "p99",
            "max",
            "server p50",
            "server max",
            "resting",
            "storing",
            "adopting",
            "gc old",
            "gc new",
            "connections/s");

    /** Where in a row the 99th percentile and the rate are. */
    private static final int P99 = 1;

    private static final int RATE = COLUMNS.size() - 1;

    /** How many handovers the processes have behind them that {@code --all} measures when they are warm. */
    private static final int WARM = 5;

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

    @Option(
            names = "--after",
            paramLabel = "N",
            description = "measure two processes that have handed over to each other N times before; default:"
                    + " ${DEFAULT-VALUE}, where each handover is the first one of a process, to a new one")
    private int after;

    @Option(
            names = "--closed-loop",
            description = "a connection waits for its answer before it sends again; p50, p99 and max are those of all"
                    + " answers, corrected for what was not sent meanwhile")
    private boolean closedLoop;

    @Option(names = "--crash-safe", description = "run the server in crash-safe mode")
    private boolean crashSafe;

    @Option(names = "--at-once", description = "move all connections at once instead of in waves")
    private boolean atOnce;

    @Option(
            names = "--wave",
            paramLabel = "MILLIS",
            description = "how long a wave may take, 1 at least; default: ${DEFAULT-VALUE}")
    private int wave = 10;

    @Option(
            names = "--wait",
            paramLabel = "MILLIS",
            description =
                    "how long the next process waits before each handover; a new one rehearses meanwhile; default:"
                            + " ${DEFAULT-VALUE}")
    private int waiting = 7000;

    @Option(
            names = "--all",
            description = "measure in waves and at once, each of new processes and of such as have " + WARM
                    + " handovers behind them")
    private boolean all;

    @Option(names = "--tls", description = "measure TLS connections, too, behind those without")
    private boolean tls;

    @Option(
            names = "--java",
            paramLabel = "OPTIONS",
            split = " ",
            description = "options of Java for the servers; default: ${DEFAULT-VALUE}")
    private List<String> javaOptions = List.of("-Xms512m", "-Xmx512m", "-XX:MetaspaceSize=64m");

    @Option(
            names = "--svg",
            paramLabel = "FILE",
            description =
                    "file for the picture of the last handover that is measured, with the pause of each connection;"
                            + " with --all, of the last one in waves; default: ${DEFAULT-VALUE}")
    private Path picture = Path.of("handover.svg");

    private Processors processors;
    private int lost;

    @Override
    public Integer call() throws IOException, InterruptedException, ExecutionException, TimeoutException {
        processors = Processors.divide();
        processors.bindClients();
        System.out.printf(
                "%,d connections, of which %,d send once every %d ms%s; milliseconds; %s%n",
                connections,
                talking,
                interval,
                closedLoop ? " when they have their answer" : "",
                processors.description());
        if (all) {
            measureAll();
        } else {
            measureOne();
        }
        System.out.printf("%n%,d connections lost; the pauses are drawn in %s%n", lost, picture);
        return lost == 0 ? 0 : 1;
    }

    private void measureAll() throws IOException, InterruptedException, ExecutionException, TimeoutException {
        List<String> names = new ArrayList<>();
        List<long[]> medians = new ArrayList<>();
        for (boolean together : new boolean[] {true, false}) {
            for (int handovers : new int[] {0, WARM}) {
                names.add(describe(together, handovers));
                medians.add(measure("", false, together, handovers));
            }
        }
        System.out.println();
        printHeader("median");
        for (int i = 0; i < names.size(); i++) {
            printRow(names.get(i), medians.get(i));
        }
    }

    private void measureOne() throws IOException, InterruptedException, ExecutionException, TimeoutException {
        long[] plain = measure("", false, atOnce, after);
        if (tls) {
            long[] encrypted = measure("tls ", true, atOnce, after);
            System.out.printf(
                    Locale.ROOT,
                    "%nTLS beside plaintext: p99 %.2f times, connections/s %.2f times%n",
                    (double) encrypted[P99] / plain[P99],
                    (double) encrypted[RATE] / plain[RATE]);
        }
    }

    private static String describe(boolean together, int handovers) {
        return (together ? "at once, " : "in waves, ") + (handovers == 0 ? "cold" : "after " + handovers);
    }

    /** Measures all rounds, prints them, and returns the medians. */
    private long[] measure(String kind, boolean encrypted, boolean together, int handovers)
            throws IOException, InterruptedException, ExecutionException, TimeoutException {
        System.out.printf(
                "%n%s: %s%n",
                describe(together, handovers),
                handovers == 0
                        ? "each process takes over once, and hands over for the first time"
                        : "two processes have handed over to each other " + handovers + " times before");
        printHeader("round");
        List<long[]> rows = new ArrayList<>();
        List<HandoverRounds.Result> results = new ArrayList<>();
        HandoverRounds measured = new HandoverRounds(
                connections,
                talking,
                interval,
                closedLoop,
                crashSafe,
                waiting,
                together ? 0 : wave,
                encrypted,
                handovers,
                javaOptions,
                processors);
        lost += measured.run(rounds, (result, round) -> {
            long[] row = row(result);
            if (round == 0) {
                printRow(kind + "first", row);
            } else {
                results.add(result);
                rows.add(row);
                printRow(kind + round, row);
            }
        });
        long[] median = median(rows);
        printRow(kind + "median", median);
        HandoverRounds.Result last = results.get(results.size() - 1);
        PauseChart.write(
                picture,
                last.pauses(),
                last.took(),
                String.format(
                        "%,d %sconnections handed over %s, and the pauses of %,d that sent",
                        connections, kind, describe(together, handovers), talking));
        return median;
    }

    private static long[] row(HandoverRounds.Result result) {
        long[] row = new long[COLUMNS.size()];
        row[0] = result.waits().getValueAtPercentile(50);
        row[P99] = result.waits().getValueAtPercentile(99);
        row[2] = result.waits().getMaxValue();
        for (int i = 0; i < result.figures().size(); i++) {
            row[i + 3] = result.figures().get(i);
        }
        return row;
    }

    private static long[] median(List<long[]> rows) {
        long[] medians = new long[COLUMNS.size()];
        for (int i = 0; i < medians.length; i++) {
            int column = i;
            medians[i] = rows.stream().mapToLong(row -> row[column]).sorted().toArray()[rows.size() / 2];
        }
        return medians;
    }

    private static void printHeader(String first) {
        System.out.printf("%-18s", first);
        for (int i = 0; i < RATE; i++) {
            System.out.printf(" %" + width(i) + "s", COLUMNS.get(i));
        }
        System.out.printf(" %14s%n", COLUMNS.get(RATE));
    }

    private static void printRow(String name, long[] row) {
        System.out.printf("%-18s", name);
        for (int i = 0; i < RATE; i++) {
            System.out.printf(" %" + width(i) + ".0f", row[i] / 1e3);
        }
        System.out.printf(" %,14d%n", row[RATE]);
    }

    private static int width(int column) {
        return Math.max(8, COLUMNS.get(column).length());
    }
}
