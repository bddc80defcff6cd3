package io.escrow.examples.bench;

import io.escrow.client.EscrowClient;
import io.escrow.examples.process.ChildProcess;
import io.escrow.examples.process.ChildProcesses;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.function.ToDoubleFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Measures how quickly a daemon starts, and its size and speed, with more and more of the options of its launcher. */
@Command(
        name = "daemon",
        description = "Measures the effect of each option of Java on escrowd: its start, its size, and its speed.")
final class BenchDaemon implements Callable<Integer> {

    private static final int WARM_UP_PASSES = 8;
    private static final int PASSES = 5;
    private static final double KB_PER_MB = 1024;
    private static final String ROW = "%-42s %7s %7s %8s %8s %9s %9s %9s%n";

    @Option(names = "--jar", paramLabel = "FILE", description = "path of escrowd.jar; default: ${DEFAULT-VALUE}")
    private Path jar = Path.of("escrow-daemon/target/escrowd.jar");

    @Mixin
    private final SlotOptions options = new SlotOptions(1024, 10);

    private static final List<String> WITHOUT_QUICK = ChildProcesses.DAEMON_OPTIONS.stream()
            .filter(option -> !option.startsWith("-XX:TieredStopAtLevel"))
            .toList();

    private static final List<Setup> SETUPS = List.of(
            new Setup("no options", false, List.of()),
            new Setup("-XX:+UseSerialGC", false, ChildProcesses.DAEMON_OPTIONS.subList(0, 1)),
            new Setup("  and -XX:TieredStopAtLevel=1", false, ChildProcesses.DAEMON_OPTIONS.subList(0, 2)),
            new Setup("    and a small heap", false, ChildProcesses.DAEMON_OPTIONS),
            new Setup("      and an archive: the launcher's", true, ChildProcesses.DAEMON_OPTIONS),
            new Setup("        without -XX:TieredStopAtLevel=1", true, WITHOUT_QUICK));

    /** A set of options to start the daemon with. */
    private record Setup(String text, boolean archive, List<String> options) {}

    /** As the launcher has it: an option that later versions of Java may not know. */
    private static final List<String> IN_PLACE = Runtime.version().feature() <= 25
            ? List.of("-XX:+UnlockDiagnosticVMOptions", "-XX:ArchiveRelocationMode=0")
            : List.of();

    /** How Java logs a class that does not come from an archive. */
    private static final Pattern FROM_JAR = Pattern.compile("(\\S+) source: (?!shared objects file).*\\.jar");

    /** The figures of one start: milliseconds until it is ready, sizes in units of 1,024 bytes, and slots a second. */
    private record Start(double ready, long empty, long stored, long fetched, Map<StoreLoad.Operation, Double> rates) {
        double rate(StoreLoad.Operation operation) {
            return rates.get(operation);
        }
    }

    private final Map<Setup, List<Start>> starts = new HashMap<>();

    @Override
    public Integer call() throws IOException, InterruptedException, ExecutionException {
        if (!Files.isReadable(jar)) {
            throw new IOException("cannot read \"" + jar + "\": build it, or give its path with --jar");
        }
        try (ChildProcesses children = ChildProcesses.open()) {
            makeArchive(children);
            for (int round = 1; round <= options.rounds(); round++) {
                System.err.println("bench: round " + round + " of " + options.rounds());
                for (Setup setup : SETUPS) {
                    starts.computeIfAbsent(setup, s -> new ArrayList<>()).add(measure(children, setup));
                }
            }
        }
        print();
        return 0;
    }

    /** Makes an archive of classes, as lib/make-archive does. */
    private void makeArchive(ChildProcesses children) throws IOException, InterruptedException {
        String classes = children.file("classes").toString();
        List<String> record = new ArrayList<>(ChildProcesses.DAEMON_OPTIONS);
        record.addAll(List.of("-Xshare:off", "-XX:DumpLoadedClassList=" + classes));
        startAndEnd(children, record);
        List<String> dump = new ArrayList<>(ChildProcesses.DAEMON_OPTIONS);
        dump.addAll(List.of("-Xshare:dump", "-XX:SharedClassListFile=" + classes, archive(children)));
        int exitCode = new ProcessBuilder(java(dump, children.socket()))
                .redirectErrorStream(true)
                .redirectOutput(Redirect.DISCARD)
                .start()
                .waitFor();
        if (exitCode != 0) {
            throw new IOException("Java cannot make an archive of classes: exit status " + exitCode);
        }
        Path loaded = children.file("loaded");
        List<String> log = new ArrayList<>(ChildProcesses.DAEMON_OPTIONS);
        log.addAll(List.of(archive(children), "-Xlog:class+load:file=" + loaded + ":none"));
        startAndEnd(children, log);
        List<String> outside = Files.readAllLines(loaded).stream()
                .map(FROM_JAR::matcher)
                .filter(Matcher::matches)
                .map(line -> line.group(1))
                .toList();
        Files.write(Path.of(children.file("archive.jsa") + ".outside"), outside);
    }

    private void startAndEnd(ChildProcesses children, List<String> options) throws IOException, InterruptedException {
        ChildProcess daemon = start(children, options, children.socket());
        daemon.terminate();
        daemon.awaitEnd();
    }

    private static String archive(ChildProcesses children) {
        return "-XX:SharedArchiveFile=" + children.file("archive.jsa");
    }

    private ChildProcess start(ChildProcesses children, List<String> options, String socket)
            throws IOException, InterruptedException {
        return children.start(ChildProcesses.DAEMON_READY, java(options, socket));
    }

    private List<String> java(List<String> options, String socket) {
        return ChildProcesses.java(options, List.of("-jar", jar.toString()), List.of(socket));
    }

    private Start measure(ChildProcesses children, Setup setup)
            throws IOException, InterruptedException, ExecutionException {
        String socket = children.socket() + "-" + SETUPS.indexOf(setup) + "-"
                + starts.get(setup).size();
        List<String> java = new ArrayList<>(setup.options);
        if (setup.archive) {
            java.add(archive(children));
            java.addAll(IN_PLACE);
        }
        long begin = System.nanoTime();
        ChildProcess daemon = start(children, java, socket);
        double ready = (System.nanoTime() - begin) / 1e6;
        long empty = ProcessSize.memoryKb(daemon.pid());
        // The sockets are opened only now: a process with so many open files takes longer to start another one.
        try (EscrowClient client = EscrowClient.builder().path(socket).connect().get();
                StoreLoad load = StoreLoad.open(client, options)) {
            load.run(StoreLoad.Way.BULK, StoreLoad.Operation.ADD);
            long stored = ProcessSize.memoryKb(daemon.pid());
            load.run(StoreLoad.Way.BULK, StoreLoad.Operation.GET);
            long fetched = ProcessSize.memoryKb(daemon.pid());
            return new Start(ready, empty, stored, fetched, rates(load));
        } finally {
            daemon.kill();
        }
    }

    /** Measures the speed of a warm daemon: the best of some passes. */
    private Map<StoreLoad.Operation, Double> rates(StoreLoad load)
            throws IOException, InterruptedException, ExecutionException {
        Map<StoreLoad.Operation, Double> rates = new EnumMap<>(StoreLoad.Operation.class);
        for (int pass = 0; pass < WARM_UP_PASSES + PASSES; pass++) {
            for (StoreLoad.Operation operation : StoreLoad.Operation.values()) {
                long begin = System.nanoTime();
                load.run(StoreLoad.Way.BULK, operation);
                double rate = options.slots() * 1e9 / (System.nanoTime() - begin);
                if (pass >= WARM_UP_PASSES) {
                    rates.merge(operation, rate, Math::max);
                }
            }
        }
        return rates;
    }

    private void print() {
        System.out.printf(
                "%,d slots, each with a socket and %,d bytes; medians of %d starts: milliseconds until it listens,"
                        + " resident MB, slots a second%n%n",
                options.slots(), options.payload(), options.rounds());
        System.out.printf(ROW, "", "ready", "empty", "stored", "fetched", "add", "get", "delete");
        for (Setup setup : SETUPS) {
            System.out.printf(
                    ROW,
                    setup.text,
                    median(setup, "%,.0f", start -> start.ready),
                    median(setup, "%.1f", start -> start.empty / KB_PER_MB),
                    median(setup, "%.1f", start -> start.stored / KB_PER_MB),
                    median(setup, "%.1f", start -> start.fetched / KB_PER_MB),
                    median(setup, "%,.0f", start -> start.rate(StoreLoad.Operation.ADD)),
                    median(setup, "%,.0f", start -> start.rate(StoreLoad.Operation.GET)),
                    median(setup, "%,.0f", start -> start.rate(StoreLoad.Operation.DELETE)));
        }
    }

    private String median(Setup setup, String format, ToDoubleFunction<Start> value) {
        double[] sorted = starts.get(setup).stream().mapToDouble(value).sorted().toArray();
        return String.format(format, sorted[sorted.length / 2]);
    }
}
