package io.escrow.examples.bench;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Opens and closes connections for a long time, at a server that is handed over and killed again and again, and at one
 * that is not. Checks whether anything grows.
 */
@Command(
        name = "soak",
        description =
                "Opens and closes connections for a long time, at a server that is handed over and killed again and"
                        + " again, and at one that is not. Fails if a process grows, or if a connection is lost.")
final class BenchSoak implements Callable<Integer> {

    private static final double MEMORY_SHARE = 0.05;
    private static final long MEMORY_SLACK_KB = 4096;
    private static final long HEAP_SLACK_KB = 256;
    private static final int KB_PER_MB = 1024;

    private enum Event {
        HANDOVER("handed over"),
        KILL("killed"),
        RESTART("restarted"),
        AT_REST("at rest");

        private final String text;

        Event(String text) {
            this.text = text;
        }
    }

    @Option(
            names = "--minutes",
            paramLabel = "N",
            description = "how long to run; each process is measured at least " + Trend.READINGS
                    + " times; default: ${DEFAULT-VALUE}")
    private double minutes = 20;

    @Option(
            names = "--interval",
            paramLabel = "SECONDS",
            description =
                    "how often the first server is ended, and all processes are measured; default: ${DEFAULT-VALUE}")
    private int interval = 10;

    @Option(
            names = "--connections",
            paramLabel = "N",
            description = "connections to each server that stay open; default: ${DEFAULT-VALUE}")
    private int connections = 100;

    @Option(
            names = "--coming",
            paramLabel = "N",
            description = "connections to each server, at a time, that come and go; default: ${DEFAULT-VALUE}")
    private int coming = 20;

    private final List<Sizes> sizes = List.of(
            new Sizes("restarted: daemon"),
            new Sizes("restarted: server"),
            new Sizes("running: daemon"),
            new Sizes("running: server"));
    private final Trend slots = new Trend("restarted: slots", 0, 0);

    /** The sizes of one process over time. */
    private static final class Sizes {
        private final Trend memory;
        private final Trend heap;
        private final Trend descriptors;

        Sizes(String process) {
            memory = new Trend(process + ", memory in KB", MEMORY_SHARE, MEMORY_SLACK_KB);
            heap = new Trend(process + ", live heap in KB", MEMORY_SHARE, HEAP_SLACK_KB);
            descriptors = new Trend(process + ", descriptors", 0, 0);
        }

        void add(ProcessSize size) {
            memory.add(size.memoryKb());
            heap.add(size.heapKb());
            descriptors.add(size.descriptors());
        }
    }

    @Override
    public Integer call() throws IOException, InterruptedException, ExecutionException, TimeoutException {
        int kept = 0;
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(
                1, new DefaultThreadFactory("coming", true), EpollIoHandler.newFactory());
        try (SoakServer restarted = SoakServer.start();
                SoakServer running = SoakServer.start();
                PauseClients staying = new PauseClients(null, false)) {
            staying.connect(restarted.port(), connections);
            staying.connect(running.port(), 2 * connections);
            List<SoakClients> clients = List.of(
                    new SoakClients(group, restarted.port(), coming), new SoakClients(group, running.port(), coming));
            printHead();
            long start = System.nanoTime();
            long end = start + (long) (minutes * TimeUnit.MINUTES.toNanos(1));
            for (int round = 0; System.nanoTime() < end || !sizes.get(0).memory.isKnown(); round++) {
                Event event = Event.values()[round % Event.values().length];
                long used = round(event, restarted, clients);
                kept = staying.askAll();
                List<ProcessSize> now = measure(restarted, running);
                printRow(Duration.ofNanos(System.nanoTime() - start), event, used, kept, clients, now);
            }
        } finally {
            group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        }
        boolean grows = printTrends();
        System.out.printf("%n%,d of %,d connections kept%n", kept, 2 * connections);
        return grows || kept < 2 * connections ? 1 : 0;
    }

    /** Ends the server in one way. Returns the number of used slots if it was counted, otherwise -1. */
    private long round(Event event, SoakServer restarted, List<SoakClients> clients)
            throws IOException, InterruptedException, ExecutionException, TimeoutException {
        for (SoakClients some : clients) {
            some.start();
        }
        TimeUnit.MILLISECONDS.sleep(TimeUnit.SECONDS.toMillis(interval) / 2);
        switch (event) {
            case HANDOVER -> restarted.handOver();
            case KILL -> restarted.killWithSuccessor();
            case RESTART -> restarted.killAndRestart();
            case AT_REST -> {
                // This server is ended below, when no connections come and go.
            }
        }
        TimeUnit.MILLISECONDS.sleep(TimeUnit.SECONDS.toMillis(interval) / 2);
        for (SoakClients some : clients) {
            some.stop();
        }
        if (event != Event.AT_REST) {
            return -1;
        }
        long used = restarted.killAndRestart();
        slots.add(used);
        return used;
    }

    private List<ProcessSize> measure(SoakServer restarted, SoakServer running)
            throws IOException, InterruptedException {
        List<ProcessSize> now =
                List.of(restarted.daemonSize(), restarted.serverSize(), running.daemonSize(), running.serverSize());
        for (int i = 0; i < now.size(); i++) {
            sizes.get(i).add(now.get(i));
        }
        return now;
    }

    private static void printHead() {
        System.out.println("Figures of a process: memory in MB / live heap in KB / descriptors");
        System.out.println();
        System.out.printf(
                "%-8s %-12s %6s %5s %8s %9s   %-18s %-18s %-18s %-18s%n",
                "min:sec",
                "event",
                "slots",
                "kept",
                "opened",
                "no answer",
                "restarted: daemon",
                "restarted: server",
                "running: daemon",
                "running: server");
    }

    private static void printRow(
            Duration time, Event event, long used, int kept, List<SoakClients> clients, List<ProcessSize> now) {
        System.out.printf(
                "%-8s %-12s %6s %5d %8d %9d   %s%n",
                String.format("%d:%02d", time.toMinutes(), time.toSecondsPart()),
                event.text,
                used < 0 ? "" : used,
                kept,
                clients.stream().mapToLong(SoakClients::opened).sum(),
                clients.stream().mapToLong(SoakClients::unanswered).sum(),
                now.stream()
                        .map(size -> String.format(
                                "%-18s",
                                String.format(
                                        "%.1f / %s / %d",
                                        (double) size.memoryKb() / KB_PER_MB,
                                        size.heapKb() < 0 ? "?" : size.heapKb(),
                                        size.descriptors())))
                        .collect(Collectors.joining(" "))
                        .stripTrailing());
    }

    private boolean printTrends() {
        List<Trend> trends = new ArrayList<>();
        for (Sizes process : sizes) {
            trends.addAll(List.of(process.memory, process.heap, process.descriptors));
        }
        trends.add(slots);
        boolean grows = false;
        System.out.printf("%n%-38s %-40s%n", "", "lowest in each quarter, after warming up");
        for (Trend trend : trends) {
            grows |= trend.grows();
            System.out.printf("%-38s %s%n", trend.name(), verdict(trend));
        }
        return grows;
    }

    private static String verdict(Trend trend) {
        if (!trend.isKnown()) {
            return "too few readings";
        }
        String lowest = Arrays.stream(trend.lowest())
                .mapToObj(reading -> String.format("%9d", reading))
                .collect(Collectors.joining(" "));
        return lowest + (trend.grows() ? "  GROWS" : "  steady");
    }
}
