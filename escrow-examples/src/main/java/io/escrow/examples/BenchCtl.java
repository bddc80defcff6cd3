package io.escrow.examples;

import io.escrow.client.EscrowClient;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import org.HdrHistogram.Histogram;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Measures what a session notices of operators who look into the daemon. */
@Command(
        name = "ctl",
        description = "Measures what a session notices of operators: the time of one request after the other, while"
                + " nobody looks, while the status is asked for, and while all slots are listed.")
final class BenchCtl implements Callable<Integer> {

    private static final int TAG = 0;
    private static final Duration TIMEOUT = Duration.ofMinutes(1);
    private static final double[] PERCENTILES = {50, 90, 99, 99.9};
    private static final String ROW = "%-38s %9s %9s %9s %9s %9s %10s%n";

    @Option(names = "--slots", paramLabel = "N", description = "slots that are held; default: ${DEFAULT-VALUE}")
    private int slots = 15_000;

    @Option(names = "--payload", paramLabel = "BYTES", description = "payload of each; default: ${DEFAULT-VALUE}")
    private int payload = 1_024;

    @Option(names = "--rounds", paramLabel = "N", description = "rounds to measure; default: ${DEFAULT-VALUE}")
    private int rounds = 5;

    @Option(
            names = "--seconds",
            paramLabel = "N",
            description = "how long each measurement lasts; default: ${DEFAULT-VALUE}")
    private int seconds = 3;

    private final Map<Look, List<Histogram>> times = new EnumMap<>(Look.class);
    private final Map<Look, Integer> looks = new EnumMap<>(Look.class);

    /** What operators do meanwhile. */
    enum Look {
        NONE("nobody looks", null, Duration.ZERO),
        AGAIN("nobody looks, once more", null, Duration.ZERO),
        STATUS("status, ten times a second", "/status", Duration.ofMillis(100)),
        METRICS("metrics, once a second", "/metrics", Duration.ofSeconds(1)),
        LIST("all slots, once a second", "/slots", Duration.ofSeconds(1)),
        ALWAYS("all slots, one list after the other", "/slots", Duration.ZERO);

        final String text;
        final String request;
        final Duration pause;

        Look(String text, String request, Duration pause) {
            this.text = text;
            this.request = request;
            this.pause = pause;
        }
    }

    @Override
    public Integer call() throws IOException, InterruptedException, ExecutionException {
        List<FileDescriptor> descriptors = new ArrayList<>();
        try (Stage stage = Stage.open()) {
            StoreLoad.openSockets(descriptors, slots);
            stage.startEscrowd(stage.socket());
            try (EscrowClient client =
                    EscrowClient.builder().path(stage.socket()).connect().get()) {
                StoreLoad load = new StoreLoad(client, TIMEOUT, TAG, descriptors, new byte[payload]);
                load.run(StoreLoad.Way.BULK, StoreLoad.Operation.ADD);
                System.err.println("bench: warming up");
                measureAll(load, stage);
                times.clear();
                looks.clear();
                for (int round = 1; round <= rounds; round++) {
                    System.err.println("bench: round " + round + " of " + rounds);
                    measureAll(load, stage);
                }
            }
        } finally {
            for (FileDescriptor descriptor : descriptors) {
                descriptor.close();
            }
        }
        print();
        return 0;
    }

    private void measureAll(StoreLoad load, Stage stage) throws IOException, InterruptedException {
        for (Look look : Look.values()) {
            Onlooker onlooker = new Onlooker(Path.of(stage.socket() + ".ctl"), look.request, look.pause);
            Histogram nanos = new Histogram(3);
            long end = System.nanoTime() + Duration.ofSeconds(seconds).toNanos();
            for (int i = 0; System.nanoTime() < end; i++) {
                long start = System.nanoTime();
                load.block(StoreLoad.Operation.GET, i % slots);
                nanos.recordValue(System.nanoTime() - start);
            }
            times.computeIfAbsent(look, l -> new ArrayList<>()).add(nanos);
            looks.merge(look, onlooker.end(), Integer::sum);
        }
    }

    private void print() {
        System.out.printf(
                "%,d slots, a socket and %,d bytes each; one get after the other; medians of %d rounds of %d s,"
                        + " microseconds%n%n",
                slots, payload, rounds, seconds);
        System.out.printf(ROW, "", "p50", "p90", "p99", "p99.9", "looks", "gets");
        for (Look look : Look.values()) {
            List<String> cells = new ArrayList<>();
            cells.add(look.text);
            for (double percentile : PERCENTILES) {
                cells.add(String.format("%,.1f", median(look, h -> h.getValueAtPercentile(percentile) / 1e3)));
            }
            cells.add(String.format("%,d", looks.get(look)));
            cells.add(String.format("%,.0f", median(look, Histogram::getTotalCount)));
            System.out.printf(ROW, cells.toArray());
        }
    }

    private double median(Look look, java.util.function.ToDoubleFunction<Histogram> value) {
        double[] sorted = times.get(look).stream().mapToDouble(value).sorted().toArray();
        return sorted[sorted.length / 2];
    }
}
