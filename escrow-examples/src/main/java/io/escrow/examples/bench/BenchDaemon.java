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

    @Option(
            names = "--scripts",
            paramLabel = "DIR",
            description = "directory of the launcher's scripts; default: ${DEFAULT-VALUE}")
    private Path scripts = Path.of("escrow-daemon/src/main/dist/lib");

    private static final List<String> ALL = ChildProcesses.DAEMON_OPTIONS;

    private static final List<Setup> SETUPS = List.of(
            new Setup("no options", false, List.of()),
            new Setup("-XX:+UseSerialGC", false, ALL.subList(0, 1)),
            new Setup("  and -XX:TieredStopAtLevel=1", false, ALL.subList(0, 2)),
            new Setup("    and a small heap", false, ALL),
            new Setup("      and an archive: the launcher's", true, List.of()),
            new Setup("        without -XX:TieredStopAtLevel=1", true, List.of("-XX:TieredStopAtLevel=4")));

    /**
     * A set of options to start the daemon with.
     *
     * @param launcher whether the launcher starts it, with its own options and the archive of classes before these
     */
    private record Setup(String text, boolean launcher, List<String> options) {}

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

    /** Lays out jar and scripts as they are where escrowd is installed, and makes the archive. */
    private void makeArchive(ChildProcesses children) throws IOException, InterruptedException {
        Files.copy(jar, children.file("escrowd.jar"));
        for (String script : List.of("launch", "make-archive")) {
            Files.copy(scripts.resolve(script), children.file(script));
        }
        int exitCode = new ProcessBuilder(script(children, "make-archive"))
                .redirectErrorStream(true)
                .redirectOutput(Redirect.DISCARD)
                .start()
                .waitFor();
        if (exitCode != 0) {
            throw new IOException("make-archive cannot make an archive of classes: exit status " + exitCode);
        }
    }

    private static List<String> script(ChildProcesses children, String script) {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        return List.of(
                "env",
                "ESCROW_JAVA=" + java,
                "ESCROW_JAVA_OPTS=",
                "sh",
                children.file(script).toString());
    }

    private static List<String> command(ChildProcesses children, Setup setup, String socket) {
        List<String> program = List.of("-jar", children.file("escrowd.jar").toString());
        if (!setup.launcher) {
            return ChildProcesses.java(setup.options, program, List.of(socket));
        }
        List<String> command = new ArrayList<>(script(children, "launch"));
        command.addAll(setup.options);
        command.addAll(program);
        command.add(socket);
        return command;
    }

    private Start measure(ChildProcesses children, Setup setup)
            throws IOException, InterruptedException, ExecutionException {
        String socket = children.socket() + "-" + SETUPS.indexOf(setup) + "-"
                + starts.get(setup).size();
        long begin = System.nanoTime();
        ChildProcess daemon = children.start(ChildProcesses.DAEMON_READY, command(children, setup, socket));
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
