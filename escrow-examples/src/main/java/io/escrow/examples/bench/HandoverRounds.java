package io.escrow.examples.bench;

import io.escrow.examples.process.ChildProcess;
import io.escrow.examples.process.ChildProcesses;
import io.escrow.examples.process.Processors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import java.util.function.ObjIntConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.HdrHistogram.Histogram;

/**
 * Hands a server over again and again while clients talk to it, always to a process that is already waiting. Either each handover is
 * to a new process, or two processes hand over to each other.
 *
 * @param waiting how long the next process waits before each handover, in milliseconds; clients send in the meantime, and are in their
 *     rhythm when it comes
 * @param wave how long a wave may take, in milliseconds; 0 if all connections move at once
 * @param before how many handovers the two processes have behind them when they are measured; 0 for a new process each time
 */
record HandoverRounds(
        int connections,
        int talking,
        int interval,
        boolean closedLoop,
        boolean crashSafe,
        int waiting,
        int wave,
        boolean encrypted,
        int before,
        List<String> javaOptions,
        Processors processors) {

    private static final Pattern HANDED_OVER =
            Pattern.compile(".* (\\d+), resting (\\d+) us, storing (\\d+) us, (\\d+) collections in (\\d+) ms,.*");
    private static final Pattern SERVING =
            Pattern.compile(".* port (\\d+), (\\d+) adopted, (\\d+) refused, in (\\d+) us, pauses (\\d+) and (\\d+) ms,"
                    + " (\\d+) collections in (\\d+) ms,.*");

    /**
     * What one handover was like; times in microseconds.
     *
     * @param waits what the clients have waited
     * @param pauses the longest wait of each connection
     * @param took the time from the signal until the new process served
     * @param figures what the servers have printed, in the order of {@link BenchHandover#COLUMNS} behind those of the clients
     */
    record Result(Histogram waits, List<Pause> pauses, long took, List<Long> figures) {}

    /**
     * Measures; returns how many connections were lost.
     *
     * @param results gets the result and the number of each handover, from 1 on. If each one is to a new process, there is one before
     *     them, with the number 0: of a server that has taken over nothing, with a daemon that has held nothing
     */
    int run(int rounds, ObjIntConsumer<Result> results)
            throws IOException, InterruptedException, ExecutionException, TimeoutException {
        try (ChildProcesses children = ChildProcesses.open();
                PauseClients clients = new PauseClients(encrypted ? BenchTls.client() : null, closedLoop)) {
            children.runOn(processors);
            children.startEscrowd(children.socket());
            List<String> modes = modes(children);
            ChildProcess server = startServer(children, HandoverEcho.SERVING, 0, modes);
            int port = Integer.parseInt(
                    match(SERVING, server.takeLine(HandoverEcho.SERVING)).group(1));
            clients.connect(port, connections);
            clients.startSending(talking, interval);
            ChildProcess next = null;
            for (int round = Math.min(0, 1 - before); round <= rounds; round++) {
                if (next == null) {
                    next = startServer(children, HandoverEcho.WAITING, port, modes);
                }
                next.takeLine(HandoverEcho.WAITING);
                Thread.sleep(waiting);
                Result result = handOver(clients, server, next);
                if (round > 0 || before == 0) {
                    results.accept(result, round);
                }
                ChildProcess old = server;
                server = next;
                next = before == 0 ? null : old;
            }
            return connections - clients.askAll();
        }
    }

    private List<String> modes(ChildProcesses children) throws IOException, InterruptedException {
        List<String> modes = new ArrayList<>();
        if (encrypted) {
            Path key = children.file("key.p12");
            BenchTls.makeKey(key);
            modes.add(HandoverEcho.TLS + key);
        }
        if (crashSafe) {
            modes.add(HandoverEcho.CRASH_SAFE);
        }
        if (wave > 0) {
            modes.add(HandoverEcho.WAVES + wave);
        }
        if (before > 0) {
            modes.add(HandoverEcho.AGAIN);
        }
        return modes;
    }

    private ChildProcess startServer(ChildProcesses children, String ready, int port, List<String> modes)
            throws IOException, InterruptedException {
        List<String> arguments = new ArrayList<>(List.of(children.socket(), String.valueOf(port)));
        arguments.addAll(modes);
        return children.startListening(ready, javaOptions, HandoverEcho.class, arguments.toArray(String[]::new));
    }

    private Result handOver(PauseClients clients, ChildProcess server, ChildProcess next)
            throws IOException, InterruptedException, ExecutionException, TimeoutException {
        clients.begin();
        if (before == 0) {
            server.terminate();
        } else {
            server.tell("hand over");
        }
        Matcher old = match(HANDED_OVER, server.takeLine(HandoverEcho.HANDED_OVER));
        Matcher adopted = match(SERVING, next.takeLine(HandoverEcho.SERVING));
        long took = clients.end();
        List<Pause> pauses = clients.pauses();
        return new Result(closedLoop ? clients.waits() : lengths(pauses), pauses, took, figures(old, adopted));
    }

    private static Histogram lengths(List<Pause> pauses) {
        Histogram lengths = new Histogram(3);
        pauses.forEach(pause -> lengths.recordValue(pause.length()));
        return lengths;
    }

    private List<Long> figures(Matcher old, Matcher adopted) {
        long resting = Long.parseLong(old.group(2));
        long storing = Long.parseLong(old.group(3));
        long adopting = Long.parseLong(adopted.group(4));
        // In waves the new process adopts while the old one stores.
        long moving = Math.max(1, resting + storing + (wave > 0 ? 0 : adopting));
        return List.of(
                Long.parseLong(adopted.group(5)) * 1000,
                Long.parseLong(adopted.group(6)) * 1000,
                resting,
                storing,
                adopting,
                Long.parseLong(old.group(5)) * 1000,
                Long.parseLong(adopted.group(8)) * 1000,
                Long.parseLong(adopted.group(2)) * 1_000_000 / moving);
    }

    private static Matcher match(Pattern pattern, String line) throws IOException {
        Matcher matcher = pattern.matcher(line);
        if (!matcher.matches()) {
            throw new IOException("cannot read this line of a server: " + line);
        }
        return matcher;
    }
}
