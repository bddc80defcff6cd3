package io.escrow.examples.grpc;

import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import javax.net.ssl.SSLException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Calls the echo server all the time, on streams and with single calls, and counts what fails. The client retries nothing: a
 * call fails if the server has not answered it.
 */
@Command(
        name = "echo-client",
        description =
                "Calls the echo server of gRPC all the time, and counts which process answered and what failed. Retries"
                        + " nothing.",
        usageHelpAutoWidth = true)
final class EchoClient implements Callable<Integer>, AutoCloseable {

    private static final int CALL_SECONDS = 60;
    private static final int STREAM_MESSAGES = 100;
    private static final int FAILURE_PAUSE_MILLIS = 20;

    @Option(names = "--port", paramLabel = "PORT", description = "port of the server; default: ${DEFAULT-VALUE}")
    private int port = 8080;

    @Option(names = "--tls", description = "use TLS, without looking at the certificate")
    private boolean tls;

    @Option(names = "--channels", paramLabel = "N", description = "channels; default: ${DEFAULT-VALUE}")
    private int channels = 5;

    @Option(names = "--streams", paramLabel = "N", description = "streams on each channel; default: ${DEFAULT-VALUE}")
    private int streams = 10;

    @Option(
            names = "--callers",
            paramLabel = "N",
            description = "callers on each channel, one call at a time each; default: ${DEFAULT-VALUE}")
    private int callers = 2;

    @Option(
            names = "--pause",
            paramLabel = "MILLIS",
            description = "pause of each caller and stream between two messages; default: ${DEFAULT-VALUE}")
    private int pause = 5;

    @Option(names = "--seconds", paramLabel = "N", description = "how long; default: ${DEFAULT-VALUE}")
    private int seconds = 10;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "print this and exit")
    @SuppressWarnings("UnusedVariable") // picocli reads it
    private boolean help;

    private final Map<String, LongAdder> answersByProcess = new ConcurrentHashMap<>();
    private final LongAdder streamsEnded = new LongAdder();
    private final AtomicLong slowestNanos = new AtomicLong();
    private final Queue<String> failures = new ConcurrentLinkedQueue<>();
    private final List<ManagedChannel> open = new ArrayList<>();
    private final List<Thread> threads = new ArrayList<>();
    private volatile boolean enough;

    private EchoClient() {}

    /** Makes a client with the load of the defaults. */
    EchoClient(int port, boolean tls) {
        this.port = port;
        this.tls = tls;
    }

    /** Runs the client; {@code --help} describes the arguments. */
    public static void main(String[] args) {
        System.exit(new CommandLine(new EchoClient()).execute(args));
    }

    @Override
    public Integer call() throws InterruptedException, SSLException {
        long began = System.nanoTime();
        start();
        TimeUnit.SECONDS.sleep(seconds);
        finish();
        close();
        double taken = (System.nanoTime() - began) / 1e9;
        System.out.println("answers by process: " + new TreeMap<>(answersByProcess));
        System.out.printf(
                "%,d answers a second, %d streams ended; the slowest answer took %d ms; %d failed%n",
                (long) (answers() / taken),
                streamsEnded.sum(),
                TimeUnit.NANOSECONDS.toMillis(slowestNanos.get()),
                failures.size());
        failures.stream().distinct().limit(10).forEach(System.out::println);
        return failures.isEmpty() ? CommandLine.ExitCode.OK : CommandLine.ExitCode.SOFTWARE;
    }

    /** Begins to call. */
    void start() throws SSLException {
        for (int i = 0; i < channels; i++) {
            NettyChannelBuilder builder = NettyChannelBuilder.forAddress(
                            new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
                    .disableRetry();
            if (tls) {
                builder.sslContext(GrpcSslContexts.forClient()
                        .trustManager(InsecureTrustManagerFactory.INSTANCE)
                        .build());
            } else {
                builder.usePlaintext();
            }
            ManagedChannel channel = builder.build();
            open.add(channel);
            for (int j = 0; j < streams; j++) {
                begin(() -> stream(channel));
            }
            for (int j = 0; j < callers; j++) {
                begin(() -> unary(channel));
            }
        }
    }

    private void begin(Callable<Void> work) {
        Thread thread = new Thread(() -> repeat(work), "client");
        thread.setDaemon(true);
        threads.add(thread);
        thread.start();
    }

    private void repeat(Callable<Void> work) {
        try {
            while (!enough) {
                try {
                    work.call();
                } catch (InterruptedException e) {
                    return;
                } catch (Exception e) {
                    failures.add(e.toString());
                    TimeUnit.MILLISECONDS.sleep(FAILURE_PAUSE_MILLIS);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static CallOptions options() {
        return CallOptions.DEFAULT.withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS);
    }

    private Void unary(ManagedChannel channel) throws InterruptedException {
        long asked = System.nanoTime();
        answered(ClientCalls.blockingUnaryCall(channel, EchoService.ECHO, options(), "hello"), "hello", asked);
        return null;
    }

    private Void stream(ManagedChannel channel) throws Exception {
        Answers answers = new Answers();
        StreamObserver<String> stream =
                ClientCalls.asyncBidiStreamingCall(channel.newCall(EchoService.CHAT, options()), answers);
        for (int i = 0; i < STREAM_MESSAGES && !enough; i++) {
            String text = "message " + i;
            long asked = System.nanoTime();
            stream.onNext(text);
            String answer = answers.next();
            if (answer.equals(Answers.END)) {
                // The server ends the streams that it has before it ends itself. It has seen this one's last message,
                // or not.
                break;
            }
            answered(answer, text, asked);
        }
        stream.onCompleted();
        answers.end();
        streamsEnded.increment();
        return null;
    }

    private void answered(String answer, String text, long asked) throws InterruptedException {
        int space = answer.indexOf(' ');
        if (!answer.substring(space + 1).equals(text)) {
            throw new IllegalStateException("\"" + answer + "\" is no answer to \"" + text + "\"");
        }
        slowestNanos.accumulateAndGet(System.nanoTime() - asked, Math::max);
        answersByProcess
                .computeIfAbsent(answer.substring(0, space), process -> new LongAdder())
                .increment();
        if (pause > 0) {
            TimeUnit.MILLISECONDS.sleep(pause);
        }
    }

    /** Returns how many answers there were. */
    long answers() {
        return answersByProcess.values().stream().mapToLong(LongAdder::sum).sum();
    }

    /** Returns which processes have answered. */
    List<String> processes() {
        return List.copyOf(answersByProcess.keySet());
    }

    /** Returns how many calls and streams are under way at most. */
    int callsAtATime() {
        return channels * (streams + callers);
    }

    /** Returns what failed. */
    List<String> failures() {
        return List.copyOf(failures);
    }

    /** Stops when what is under way has its answer. */
    void finish() throws InterruptedException {
        enough = true;
        for (Thread thread : threads) {
            thread.join();
        }
    }

    /** Stops at once. */
    @Override
    public void close() {
        enough = true;
        open.forEach(ManagedChannel::shutdownNow);
    }

    /** The answers on one stream. */
    private static final class Answers implements StreamObserver<String> {

        static final String END = "";

        private final LinkedBlockingQueue<Object> queue = new LinkedBlockingQueue<>();

        @Override
        public void onNext(String answer) {
            queue.add(answer);
        }

        @Override
        public void onError(Throwable failure) {
            queue.add(failure);
        }

        @Override
        public void onCompleted() {
            queue.add(END);
        }

        /** Waits for the next answer, or for the end. */
        String next() throws Exception {
            Object next = queue.take();
            if (next instanceof Exception failure) {
                throw failure;
            }
            if (next.equals(END)) {
                queue.add(END);
            }
            return (String) next;
        }

        /** Waits for the end. */
        void end() throws Exception {
            String next = next();
            if (!next.equals(END)) {
                throw new IllegalStateException("\"" + next + "\" answers nothing");
            }
        }
    }
}
