package io.escrow.examples;

import io.escrow.client.EscrowClient;
import io.netty.channel.unix.FileDescriptor;
import java.io.File;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.function.ToDoubleFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Measures how quickly a daemon starts and how large it is, with more and more of the options that its launcher has. */
@Command(
        name = "daemon",
        description = "Measures what each option of Java brings: the start of escrowd, its size, and its speed.")
final class BenchDaemon implements Callable<Integer> {

    private static final int TAG = 0;
    private static final int WARM_UP_PASSES = 8;
    private static final int PASSES = 5;
    private static final double KB_PER_MB = 1024;
    private static final Duration TIMEOUT = Duration.ofMinutes(1);
    private static final String ROW = "%-42s %7s %7s %8s %8s %9s %9s %9s%n";

    @Option(names = "--jar", paramLabel = "FILE", description = "escrowd.jar; default: ${DEFAULT-VALUE}")
    private Path jar = Path.of("escrow-daemon/target/escrowd.jar");

    @Option(names = "--slots", paramLabel = "N", description = "slots to use; default: ${DEFAULT-VALUE}")
    private int slots = 15_000;

    @Option(names = "--payload", paramLabel = "BYTES", description = "payload of each; default: ${DEFAULT-VALUE}")
    private int payload = 1024;

    @Option(names = "--rounds", paramLabel = "N", description = "rounds to measure; default: ${DEFAULT-VALUE}")
    private int rounds = 10;

    private static final List<Way> WAYS = List.of(
            new Way("no options", false, List.of()),
            new Way("-XX:+UseSerialGC", false, Stage.DAEMON_OPTIONS.subList(0, 1)),
            new Way("  and -XX:TieredStopAtLevel=1", false, Stage.DAEMON_OPTIONS.subList(0, 2)),
            new Way("    and -Xms8m -Xmn3m", false, Stage.DAEMON_OPTIONS),
            new Way("      and an archive: the launcher's", true, Stage.DAEMON_OPTIONS),
            new Way("        without -XX:TieredStopAtLevel=1", true, List.of("-XX:+UseSerialGC", "-Xms8m", "-Xmn3m")));

    /** A way to start it. */
    private record Way(String text, boolean archive, List<String> options) {}

    /** One start: in milliseconds, in units of 1,024 bytes, and in slots a second. */
    private record Start(double ready, long empty, long stored, long fetched, Map<StoreLoad.Operation, Double> rates) {
        double rate(StoreLoad.Operation operation) {
            return rates.get(operation);
        }
    }

    private final Map<Way, List<Start>> starts = new HashMap<>();

    @Override
    public Integer call() throws IOException, InterruptedException, ExecutionException {
        if (!Files.isReadable(jar)) {
            throw new IOException("no readable file \"" + jar + "\" (see --jar)");
        }
        try (Stage stage = Stage.open()) {
            makeArchive(stage);
            for (int round = 1; round <= rounds; round++) {
                System.err.println("bench: round " + round + " of " + rounds);
                for (Way way : WAYS) {
                    starts.computeIfAbsent(way, w -> new ArrayList<>()).add(measure(stage, way));
                }
            }
        }
        print();
        return 0;
    }

    /** Does what lib/make-archive does. */
    private void makeArchive(Stage stage) throws IOException, InterruptedException {
        String classes = stage.file("classes").toString();
        List<String> record = new ArrayList<>(Stage.DAEMON_OPTIONS);
        record.addAll(List.of("-Xshare:off", "-XX:DumpLoadedClassList=" + classes));
        ChildProcess daemon = start(stage, record, stage.socket());
        daemon.terminate();
        daemon.awaitEnd();
        List<String> dump = new ArrayList<>(Stage.DAEMON_OPTIONS);
        dump.addAll(List.of("-Xshare:dump", "-XX:SharedClassListFile=" + classes, archive(stage)));
        int exitCode = new ProcessBuilder(java(dump, stage.socket()))
                .redirectErrorStream(true)
                .redirectOutput(Redirect.DISCARD)
                .start()
                .waitFor();
        if (exitCode != 0) {
            throw new IOException("Java can't make an archive: exit status " + exitCode);
        }
    }

    private static String archive(Stage stage) {
        return "-XX:SharedArchiveFile=" + stage.file("archive");
    }

    private ChildProcess start(Stage stage, List<String> options, String socket)
            throws IOException, InterruptedException {
        return stage.start("Listening on", new File("/dev/null"), java(options, socket));
    }

    private List<String> java(List<String> options, String socket) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(options);
        command.addAll(List.of("-jar", jar.toString(), socket));
        return command;
    }

    private Start measure(Stage stage, Way way) throws IOException, InterruptedException, ExecutionException {
        String socket =
                stage.socket() + "-" + WAYS.indexOf(way) + "-" + starts.get(way).size();
        List<String> options = new ArrayList<>(way.options);
        if (way.archive) {
            options.add(archive(stage));
        }
        long begin = System.nanoTime();
        ChildProcess daemon = start(stage, options, socket);
        double ready = (System.nanoTime() - begin) / 1e6;
        long empty = ProcessSize.memoryKb(daemon.pid());
        // Not before: a process that has so many open files takes longer to start another one.
        List<FileDescriptor> descriptors = new ArrayList<>();
        try (EscrowClient client = EscrowClient.builder().path(socket).connect().get()) {
            StoreLoad.openSockets(descriptors, slots);
            StoreLoad load = new StoreLoad(client, TIMEOUT, TAG, descriptors, new byte[payload]);
            load.run(StoreLoad.Way.BULK, StoreLoad.Operation.ADD);
            long stored = ProcessSize.memoryKb(daemon.pid());
            load.run(StoreLoad.Way.BULK, StoreLoad.Operation.GET);
            long fetched = ProcessSize.memoryKb(daemon.pid());
            return new Start(ready, empty, stored, fetched, rates(load));
        } finally {
            daemon.kill();
            for (FileDescriptor descriptor : descriptors) {
                descriptor.close();
            }
        }
    }

    /** Measures the speed of a daemon that is warm: the best of some passes. */
    private Map<StoreLoad.Operation, Double> rates(StoreLoad load)
            throws IOException, InterruptedException, ExecutionException {
        Map<StoreLoad.Operation, Double> rates = new EnumMap<>(StoreLoad.Operation.class);
        for (int pass = 0; pass < WARM_UP_PASSES + PASSES; pass++) {
            for (StoreLoad.Operation operation : StoreLoad.Operation.values()) {
                long begin = System.nanoTime();
                load.run(StoreLoad.Way.BULK, operation);
                double rate = slots * 1e9 / (System.nanoTime() - begin);
                if (pass >= WARM_UP_PASSES) {
                    rates.merge(operation, rate, Math::max);
                }
            }
        }
        return rates;
    }

    private void print() {
        System.out.printf(
                "%,d slots, a socket and %,d bytes each; medians of %d starts: milliseconds until it listens, resident MB,"
                        + " slots a second%n%n",
                slots, payload, rounds);
        System.out.printf(ROW, "", "ready", "empty", "stored", "fetched", "add", "get", "delete");
        for (Way way : WAYS) {
            System.out.printf(
                    ROW,
                    way.text,
                    median(way, "%,.0f", start -> start.ready),
                    median(way, "%.1f", start -> start.empty / KB_PER_MB),
                    median(way, "%.1f", start -> start.stored / KB_PER_MB),
                    median(way, "%.1f", start -> start.fetched / KB_PER_MB),
                    median(way, "%,.0f", start -> start.rate(StoreLoad.Operation.ADD)),
                    median(way, "%,.0f", start -> start.rate(StoreLoad.Operation.GET)),
                    median(way, "%,.0f", start -> start.rate(StoreLoad.Operation.DELETE)));
        }
    }

    private String median(Way way, String format, ToDoubleFunction<Start> value) {
        double[] sorted = starts.get(way).stream().mapToDouble(value).sorted().toArray();
        return String.format(format, sorted[sorted.length / 2]);
    }
}
