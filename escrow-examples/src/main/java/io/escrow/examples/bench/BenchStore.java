package io.escrow.examples.bench;

import io.escrow.client.EscrowClient;
import io.escrow.examples.process.ChildProcess;
import io.escrow.examples.process.ChildProcesses;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.function.ToDoubleFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Measures how fast slots are filled, fetched and emptied, and the memory that waiting requests take. */
@Command(
        name = "store",
        description =
                "Measures how many slots a second are filled, fetched and emptied, and the memory that waiting requests"
                        + " take.")
final class BenchStore implements Callable<Integer> {

    private static final int WARM_UP_PASSES = 12;
    private static final int BULK_PASSES = 3;

    @Mixin
    private final SlotOptions options = new SlotOptions(64, 5);

    @Option(
            names = "--waiting",
            paramLabel = "N",
            description =
                    "requests that wait when memory is measured, at most, and at least 300; default: ${DEFAULT-VALUE}")
    private int waiting = 300_000;

    @Spec
    private CommandSpec spec;

    /** The rates of all passes, in slots a second. */
    private final Map<StoreLoad.Way, Map<StoreLoad.Operation, List<Double>>> rates = new EnumMap<>(StoreLoad.Way.class);

    /** How many descriptors a second the kernel passes on, each in a message of its own, in each round. */
    private final List<Double> limits = new ArrayList<>();

    @Override
    public Integer call() throws IOException, InterruptedException, ExecutionException {
        if (waiting < 300) {
            throw new ParameterException(spec.commandLine(), "--waiting=" + waiting + " is below 300: use 300 or more");
        }
        try (ChildProcesses children = ChildProcesses.open()) {
            ChildProcess daemon = children.startEscrowd(children.socket());
            try (EscrowClient client = EscrowClient.builder()
                            .path(children.socket())
                            .connect()
                            .get();
                    StoreLoad load = StoreLoad.open(client, options)) {
                measureRates(children, load);
                printRates();
                new StoreMemory(client, load, daemon.pid(), waiting).print();
            }
        }
        return 0;
    }

    private void measureRates(ChildProcesses children, StoreLoad load)
            throws IOException, InterruptedException, ExecutionException {
        printProgress("warming up");
        for (int pass = 0; pass < WARM_UP_PASSES; pass++) {
            pass(load, StoreLoad.Way.BULK);
        }
        for (StoreLoad.Way way : StoreLoad.Way.values()) {
            pass(load, way);
        }
        rates.clear();
        for (int round = 1; round <= options.rounds(); round++) {
            printProgress("round " + round + " of " + options.rounds());
            measureLimit(children);
            for (StoreLoad.Way way : StoreLoad.Way.values()) {
                for (int pass = 0; pass < (way == StoreLoad.Way.BULK ? BULK_PASSES : 1); pass++) {
                    pass(load, way);
                }
            }
        }
    }

    /** The other process lives only for this: it must not take part in what is measured else. */
    private void measureLimit(ChildProcesses children) throws IOException, InterruptedException {
        try (KernelLimit limit = KernelLimit.start(children, options.slots())) {
            limits.add(limit.measure());
        }
    }

    private void pass(StoreLoad load, StoreLoad.Way way) throws IOException, InterruptedException, ExecutionException {
        for (StoreLoad.Operation operation : StoreLoad.Operation.values()) {
            long start = System.nanoTime();
            load.run(way, operation);
            double rate = options.slots() * 1e9 / (System.nanoTime() - start);
            rates.computeIfAbsent(way, w -> new EnumMap<>(StoreLoad.Operation.class))
                    .computeIfAbsent(operation, o -> new ArrayList<>())
                    .add(rate);
        }
    }

    private static void printProgress(String text) {
        System.err.println("bench: " + text);
    }

    private void printRates() {
        System.out.printf(
                "%,d slots, each with a socket and %,d bytes; slots a second, median of %d rounds%n%n",
                options.slots(), options.payload(), options.rounds());
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
        printLimit();
    }

    /** Emptying slots passes no descriptors. */
    private void printLimit() {
        double limit = median(limits);
        double add = median(StoreLoad.Way.BULK, StoreLoad.Operation.ADD);
        double get = median(StoreLoad.Way.BULK, StoreLoad.Operation.GET);
        System.out.printf("%-44s %,12.0f %,12.0f%n", "one descriptor a message, without escrowd", limit, limit);
        System.out.printf("%-44s %12.2f %12.2f%n", "bulk : one descriptor a message", add / limit, get / limit);
    }

    private static void printRow(String text, String format, ToDoubleFunction<StoreLoad.Operation> value) {
        StringBuilder row = new StringBuilder(String.format("%-44s", text));
        for (StoreLoad.Operation operation : StoreLoad.Operation.values()) {
            row.append(' ').append(String.format(format, value.applyAsDouble(operation)));
        }
        System.out.println(row);
    }

    private double median(StoreLoad.Way way, StoreLoad.Operation operation) {
        return median(rates.get(way).get(operation));
    }

    private static double median(List<Double> values) {
        List<Double> sorted = values.stream().sorted().toList();
        return sorted.get(sorted.size() / 2);
    }
}
