package io.escrow.examples.bench;

import io.escrow.client.EscrowClient;
import io.escrow.examples.process.ChildProcesses;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.function.ToDoubleFunction;
import org.HdrHistogram.Histogram;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Measures how much requests to the control socket slow down a session. */
@Command(
        name = "ctl",
        description = "Measures how much operators slow down a session: the time of each of its requests, while nobody"
                + " uses the control socket, while the status is requested, and while all slots are listed.")
final class BenchCtl implements Callable<Integer> {

    private static final double[] PERCENTILES = {50, 90, 99, 99.9};
    private static final String ROW = "%-38s %9s %9s %9s %9s %9s %10s%n";

    @Mixin
    private final SlotOptions options = new SlotOptions(1_024, 5);

    @Option(
            names = "--seconds",
            paramLabel = "N",
            description = "how long each measurement lasts; default: ${DEFAULT-VALUE}")
    private int seconds = 3;

    private final Map<Polling, List<Histogram>> times = new EnumMap<>(Polling.class);
    private final Map<Polling, Integer> answers = new EnumMap<>(Polling.class);

    /** Enumerates the requests to the control socket meanwhile. */
    enum Polling {
        NONE("nothing", null, Duration.ZERO),
        AGAIN("nothing, once more", null, Duration.ZERO),
        STATUS("status, ten times a second", "/status", Duration.ofMillis(100)),
        METRICS("metrics, once a second", "/metrics", Duration.ofSeconds(1)),
        LIST("all slots, once a second", "/slots", Duration.ofSeconds(1)),
        ALWAYS("all slots, one list after the other", "/slots", Duration.ZERO);

        final String text;
        final String request;
        final Duration pause;

        Polling(String text, String request, Duration pause) {
            this.text = text;
            this.request = request;
            this.pause = pause;
        }
    }

    @Override
    public Integer call() throws IOException, InterruptedException, ExecutionException {
        try (ChildProcesses children = ChildProcesses.open()) {
            children.startEscrowd(children.socket());
            try (EscrowClient client = EscrowClient.builder()
                            .path(children.socket())
                            .connect()
                            .get();
                    StoreLoad load = StoreLoad.open(client, options)) {
                load.run(StoreLoad.Way.BULK, StoreLoad.Operation.ADD);
                System.err.println("bench: warming up");
                measureAll(load, children);
                times.clear();
                answers.clear();
                for (int round = 1; round <= options.rounds(); round++) {
                    System.err.println("bench: round " + round + " of " + options.rounds());
                    measureAll(load, children);
                }
            }
        }
        print();
        return 0;
    }

    private void measureAll(StoreLoad load, ChildProcesses children) throws IOException, InterruptedException {
        for (Polling polling : Polling.values()) {
            ControlPoller poller =
                    new ControlPoller(Path.of(children.socket() + ".ctl"), polling.request, polling.pause);
            Histogram nanos = new Histogram(3);
            long end = System.nanoTime() + Duration.ofSeconds(seconds).toNanos();
            for (int i = 0; System.nanoTime() < end; i++) {
                long start = System.nanoTime();
                load.runBlocking(StoreLoad.Operation.GET, i % options.slots());
                nanos.recordValue(System.nanoTime() - start);
            }
            times.computeIfAbsent(polling, p -> new ArrayList<>()).add(nanos);
            answers.merge(polling, poller.end(), Integer::sum);
        }
    }

    private void print() {
        System.out.printf(
                "%,d slots, each with a socket and %,d bytes; one get after the other; medians of %d rounds of %d s,"
                        + " microseconds%n%n",
                options.slots(), options.payload(), options.rounds(), seconds);
        System.out.printf(ROW, "", "p50", "p90", "p99", "p99.9", "answers", "gets");
        for (Polling polling : Polling.values()) {
            List<String> cells = new ArrayList<>();
            cells.add(polling.text);
            for (double percentile : PERCENTILES) {
                cells.add(String.format("%,.1f", median(polling, h -> h.getValueAtPercentile(percentile) / 1e3)));
            }
            cells.add(String.format("%,d", answers.get(polling)));
            cells.add(String.format("%,.0f", median(polling, Histogram::getTotalCount)));
            System.out.printf(ROW, cells.toArray());
        }
    }

    private double median(Polling polling, ToDoubleFunction<Histogram> value) {
        double[] sorted =
                times.get(polling).stream().mapToDouble(value).sorted().toArray();
        return sorted[sorted.length / 2];
    }
}
