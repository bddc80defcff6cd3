package io.escrow.examples.bench;

import io.escrow.examples.process.ChildProcess;
import io.escrow.examples.process.ChildProcesses;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeoutException;
import java.util.function.ToDoubleFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Measures what the library costs a server on connections that stay open. */
@Command(
        name = "requests",
        description = "Measures how many requests a second a server answers on connections that stay open: with this"
                + " library and without it, in turn.")
final class BenchRequests implements Callable<Integer> {

    private static final List<String> SERVER_OPTIONS = List.of("-XX:+UseSerialGC", "-Xms512m", "-Xmx512m");
    private static final String KEY = "key.p12";
    private static final String ROW = "%-10s %-8s %12s %12s %8s %10s %10s%n";

    @Option(names = "--rounds", paramLabel = "N", description = "number of rounds; default: ${DEFAULT-VALUE}")
    private int rounds = 15;

    @Option(
            names = "--time",
            paramLabel = "MILLIS",
            description = "how long each of the two servers is measured in a round; default: ${DEFAULT-VALUE}")
    private int millis = 2000;

    @Option(
            names = "--warm-up",
            paramLabel = "MILLIS",
            description = "how long each of the two servers is warmed up; default: ${DEFAULT-VALUE}")
    private int warmUpMillis = 20_000;

    @Option(names = "--connections", paramLabel = "N", description = "number of connections; default: ${DEFAULT-VALUE}")
    private int connections = 100;

    @Option(
            names = "--protocol",
            paramLabel = "NAME",
            split = ",",
            description = "protocols to measure: ${COMPLETION-CANDIDATES}; default: all")
    private List<RequestProtocol> protocols = List.of(RequestProtocol.values());

    @Option(
            names = "--length",
            paramLabel = "BYTES",
            description = "the content of a request and of its answer, with HTTP of the answer only, up to "
                    + RequestProtocol.MAX_LENGTH + " bytes; default: ${DEFAULT-VALUE}")
    private int length = 64;

    @Option(
            names = "--burst",
            paramLabel = "N",
            description = "requests at a time on each connection, with TLS each in a record of its own; default:"
                    + " ${DEFAULT-VALUE}")
    private int burst = 1;

    @Option(names = "--not-crash-safe", description = "the server with the library is not crash-safe")
    private boolean notCrashSafe;

    @Option(names = "--tls", description = "encrypt with TLS: BoringSSL alone without the library")
    private boolean tls;

    /** A server, and the connections to it. */
    private record Subject(ChildProcess server, RequestClients clients) {}

    /** Requests a second, and the server's processor time for each in microseconds. */
    private record Sample(double rate, double serverTime) {}

    /** One round, without the library and with it. */
    private record Round(Sample plain, Sample kit) {
        double ratio() {
            return kit.rate / plain.rate;
        }
    }

    @Override
    public Integer call() throws IOException, InterruptedException, TimeoutException {
        if (length < 1 || length > RequestProtocol.MAX_LENGTH) {
            throw new IOException("--length " + length + " (expected: 1 to " + RequestProtocol.MAX_LENGTH + " bytes)");
        }
        System.out.printf(
                "%,d %sconnections, %,d at a time on each, %,d bytes%s%n%n",
                connections, tls ? "TLS " : "", burst, length, notCrashSafe ? "" : ", crash-safe");
        System.out.printf(ROW, "", "", "a second", "", "", "cpu, us", "");
        System.out.printf(ROW, "protocol", "round", "without", "with", "ratio", "without", "with");
        for (RequestProtocol protocol : protocols) {
            measure(protocol);
        }
        return 0;
    }

    private void measure(RequestProtocol protocol) throws IOException, InterruptedException, TimeoutException {
        try (ChildProcesses children = ChildProcesses.open()) {
            children.startEscrowd(children.socket());
            List<String> options =
                    new ArrayList<>(List.of(protocol.name(), String.valueOf(length), String.valueOf(!notCrashSafe)));
            if (tls) {
                BenchTls.makeKey(children.file(KEY));
                options.add(children.file(KEY).toString());
            }
            ChildProcess plainServer = start(children, RequestServer.PLAIN, options);
            ChildProcess kitServer = start(children, children.socket(), options);
            try (RequestClients plainClients = connect(protocol, plainServer);
                    RequestClients kitClients = connect(protocol, kitServer)) {
                measure(protocol, new Subject(plainServer, plainClients), new Subject(kitServer, kitClients));
            }
        }
    }

    private void measure(RequestProtocol protocol, Subject plain, Subject kit)
            throws IOException, InterruptedException, TimeoutException {
        System.err.println("bench: warming up");
        plain.clients.run(warmUpMillis);
        kit.clients.run(warmUpMillis);
        List<Round> measured = new ArrayList<>();
        for (int i = 1; i <= rounds; i++) {
            // Alternates, so that neither server is always measured first.
            Sample first = measure(i % 2 == 0 ? kit : plain);
            Sample second = measure(i % 2 == 0 ? plain : kit);
            Round round = i % 2 == 0 ? new Round(second, first) : new Round(first, second);
            measured.add(round);
            printRow(protocol, String.valueOf(i), List.of(round));
        }
        printRow(protocol, "median", measured);
    }

    private static ChildProcess start(ChildProcesses children, String escrow, List<String> options)
            throws IOException, InterruptedException {
        List<String> arguments = new ArrayList<>(List.of(escrow));
        arguments.addAll(options);
        return children.start(
                RequestServer.SERVING, SERVER_OPTIONS, RequestServer.class, arguments.toArray(String[]::new));
    }

    private RequestClients connect(RequestProtocol protocol, ChildProcess server)
            throws IOException, InterruptedException, TimeoutException {
        int port = Integer.parseInt(server.readyLine().substring(RequestServer.SERVING.length()));
        return RequestClients.connect(
                new RequestClients.Load(protocol, length, burst), port, connections, tls ? BenchTls.client() : null);
    }

    private Sample measure(Subject subject) throws IOException, InterruptedException, TimeoutException {
        long before = subject.server.processorTime().toNanos();
        RequestClients.Result result = subject.clients.run(millis);
        long took = subject.server.processorTime().toNanos() - before;
        return new Sample(result.rate(), took / 1e3 / result.answered());
    }

    private static void printRow(RequestProtocol protocol, String name, List<Round> rounds) {
        System.out.printf(
                ROW,
                protocol,
                name,
                median("%,.0f", rounds, round -> round.plain.rate),
                median("%,.0f", rounds, round -> round.kit.rate),
                median("%.3f", rounds, Round::ratio),
                median("%.2f", rounds, round -> round.plain.serverTime),
                median("%.2f", rounds, round -> round.kit.serverTime));
    }

    private static String median(String format, List<Round> rounds, ToDoubleFunction<Round> value) {
        double[] sorted = rounds.stream().mapToDouble(value).sorted().toArray();
        return String.format(format, sorted[sorted.length / 2]);
    }
}
