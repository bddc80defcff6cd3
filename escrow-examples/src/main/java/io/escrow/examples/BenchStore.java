package io.escrow.examples;

import io.escrow.client.EscrowClient;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Measures how fast slots are filled, fetched and emptied, and what requests that wait cost. */
@Command(name = "store", description = "Measures how many slots a second are filled, fetched and emptied.")
final class BenchStore implements Callable<Integer> {

    private static final int WARM_UP_PASSES = 12;
    private static final int BULK_PASSES = 3;
    private static final int TAG = 0;
    private static final Duration TIMEOUT = Duration.ofMinutes(1);

    @Option(names = "--slots", paramLabel = "N", description = "slots to use; default: ${DEFAULT-VALUE}")
    private int slots = 15_000;

    @Option(names = "--payload", paramLabel = "BYTES", description = "payload of each; default: ${DEFAULT-VALUE}")
    private int payload = 64;

    @Option(names = "--rounds", paramLabel = "N", description = "rounds to measure; default: ${DEFAULT-VALUE}")
    private int rounds = 5;

    /** The rates of all passes, by the way of asking and the operation. */
    private final Map<StoreLoad.Way, Map<StoreLoad.Operation, List<Double>>> rates = new EnumMap<>(StoreLoad.Way.class);

    @Override
    public Integer call() throws IOException, InterruptedException, ExecutionException {
        List<FileDescriptor> descriptors = new ArrayList<>();
        try (Stage stage = Stage.open()) {
            StoreLoad.openSockets(descriptors, slots);
            ChildProcess daemon = stage.startEscrowd(stage.socket());
            try (EscrowClient client =
                    EscrowClient.builder().path(stage.socket()).connect().get()) {
                StoreLoad load = new StoreLoad(client, TIMEOUT, TAG, descriptors, new byte[payload]);
                measureRates(load);
                printRates();
                new StoreMemory(client, load, daemon.pid()).print();
            }
        } finally {
            for (FileDescriptor descriptor : descriptors) {
                descriptor.close();
            }
        }
        return 0;
    }

    private void measureRates(StoreLoad load) throws IOException, InterruptedException, ExecutionException {
        progress("warming up");
        for (int pass = 0; pass < WARM_UP_PASSES; pass++) {
            pass(load, StoreLoad.Way.BULK);
        }
        for (StoreLoad.Way way : StoreLoad.Way.values()) {
            pass(load, way);
        }
        rates.clear();
        for (int round = 1; round <= rounds; round++) {
            progress("round " + round + " of " + rounds);
            for (StoreLoad.Way way : StoreLoad.Way.values()) {
                for (int pass = 0; pass < (way == StoreLoad.Way.BULK ? BULK_PASSES : 1); pass++) {
                    pass(load, way);
                }
            }
        }
    }

    private void pass(StoreLoad load, StoreLoad.Way way) throws IOException, InterruptedException, ExecutionException {
        for (StoreLoad.Operation operation : StoreLoad.Operation.values()) {
            long start = System.nanoTime();
            load.run(way, operation);
            double rate = slots * 1e9 / (System.nanoTime() - start);
            rates.computeIfAbsent(way, w -> new EnumMap<>(StoreLoad.Operation.class))
                    .computeIfAbsent(operation, o -> new ArrayList<>())
                    .add(rate);
        }
    }

    private static void progress(String what) {
        System.err.println("bench: " + what);
    }

    private void printRates() {
        System.out.printf(
                "%,d slots, a socket and %,d bytes each; median of %d rounds, slots a second%n%n",
                slots, payload, rounds);
        System.out.printf("%-44s %12s %12s %12s%n", "", "add", "get", "delete");
        for (StoreLoad.Way way : StoreLoad.Way.values()) {
            printRow(way.text, "%,12.0f", operation -> median(way, operation));
        }
        for (StoreLoad.Way way : List.of(StoreLoad.Way.CHAINED, StoreLoad.Way.BLOCKING)) {
            printRow(
                    "bulk : " + way.text,
                    "%12.1f",
                    operation -> median(StoreLoad.Way.BULK, operation) / median(way, operation));
        }
    }

    private static void printRow(
            String text, String format, java.util.function.ToDoubleFunction<StoreLoad.Operation> value) {
        StringBuilder row = new StringBuilder(String.format("%-44s", text));
        for (StoreLoad.Operation operation : StoreLoad.Operation.values()) {
            row.append(' ').append(String.format(format, value.applyAsDouble(operation)));
        }
        System.out.println(row);
    }

    private double median(StoreLoad.Way way, StoreLoad.Operation operation) {
        List<Double> sorted = rates.get(way).get(operation).stream().sorted().toList();
        return sorted.get(sorted.size() / 2);
    }
}
