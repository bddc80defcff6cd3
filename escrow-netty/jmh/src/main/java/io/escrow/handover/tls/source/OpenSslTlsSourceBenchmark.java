package io.escrow.handover.tls.source;

import io.escrow.handover.tls.record.SelfSignedKeys;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.function.ToLongFunction;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Compares a connection of BoringSSL that is followed, so that it can move, with one that is not. Each call of a benchmark lets
 * the servers of both work on as many messages, one after the other. What counts is not the time of the call but what is printed
 * at the end of each fork: the processor time of each, and their ratio, medians over the iterations.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 6, time = 1)
@Measurement(iterations = 11, time = 1)
public class OpenSslTlsSourceBenchmark {

    private static final int MAX_BYTES = 1 << 19;
    private static final int MAX_MESSAGES = 500;

    /** What Netty reads at most at a time. */
    private static final int STREAM = 1 << 16;

    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    /** The suite, of TLS 1.3 or 1.2. */
    @Param({"TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"})
    public String suite;

    /** How many bytes of data a message has. */
    @Param({"100", "1024", "16384"})
    public int size;

    private final List<Double> followedTimes = new ArrayList<>();
    private final List<Double> aloneTimes = new ArrayList<>();
    private final List<Double> ratios = new ArrayList<>();
    private int messages;
    private ByteBuf message;
    private BenchmarkConnection followed;
    private BenchmarkConnection alone;
    private boolean followedFirst;
    private long followedNanos;
    private long aloneNanos;
    private long done;

    /** Makes the connections. */
    @Setup(Level.Trial)
    public void connect() throws Exception {
        messages = Math.min(MAX_MESSAGES, MAX_BYTES / size);
        message = Unpooled.directBuffer(size).writeZero(size);
        SelfSignedKeys keys = SelfSignedKeys.make();
        SslContext client = SslContextBuilder.forClient()
                .sslProvider(SslProvider.OPENSSL)
                .trustManager(keys.trusted())
                .endpointIdentificationAlgorithm(null)
                .build();
        followed = new BenchmarkConnection(server(keys), client, true);
        alone = new BenchmarkConnection(server(keys), client, false);
    }

    private SslContext server(SelfSignedKeys keys) throws Exception {
        return SslContextBuilder.forServer(keys.own())
                .sslProvider(SslProvider.OPENSSL)
                .protocols(suite.contains("_WITH_") ? "TLSv1.2" : "TLSv1.3")
                .ciphers(List.of(suite))
                .build();
    }

    /** Begins to measure anew. */
    @Setup(Level.Iteration)
    public void begin() {
        followedNanos = 0;
        aloneNanos = 0;
        done = 0;
    }

    /** Notes what an iteration has measured. */
    @TearDown(Level.Iteration)
    public void note() {
        followedTimes.add((double) followedNanos / done);
        aloneTimes.add((double) aloneNanos / done);
        ratios.add((double) aloneNanos / followedNanos);
    }

    /** Prints the medians of what was measured. */
    @TearDown(Level.Trial)
    public void print() {
        followed.close();
        alone.close();
        message.release();
        int warmUp = ratios.size() / 3;
        System.out.printf(
                Locale.ROOT,
                "%nJava %s, %s, %d bytes: followed %.0f ns, BoringSSL alone %.0f ns of processor time a message;"
                        + " rate %.3f of BoringSSL's%n",
                Runtime.version().feature(),
                suite,
                size,
                median(followedTimes, warmUp),
                median(aloneTimes, warmUp),
                median(ratios, warmUp));
    }

    private static double median(List<Double> values, int skipped) {
        List<Double> sorted =
                values.subList(skipped, values.size()).stream().sorted().toList();
        return sorted.get(sorted.size() / 2);
    }

    /**
     * Sends messages.
     *
     * @return how many bytes were sent
     */
    @Benchmark
    public long out() {
        return both(connection -> measure(connection, () -> connection.write(message, messages)));
    }

    /**
     * Receives messages, each in a read of its own.
     *
     * @return how many bytes were received
     */
    @Benchmark
    public long in() {
        return both(connection -> read(connection, 0));
    }

    /**
     * Receives messages in full reads, which end in the middle of one.
     *
     * @return how many bytes were received
     */
    @Benchmark
    public long stream() {
        return both(connection -> read(connection, STREAM));
    }

    private long read(BenchmarkConnection connection, int readSize) {
        List<ByteBuf> reads = connection.encrypt(message, messages, readSize);
        long bytes = measure(connection, () -> connection.read(reads));
        if (bytes != (long) messages * size) {
            throw new IllegalStateException("received: " + bytes + " bytes (expected: " + messages * size + ")");
        }
        return bytes;
    }

    /** In turn, so that none is always the first. */
    private long both(ToLongFunction<BenchmarkConnection> work) {
        followedFirst = !followedFirst;
        done += messages;
        return followedFirst
                ? work.applyAsLong(followed) + work.applyAsLong(alone)
                : work.applyAsLong(alone) + work.applyAsLong(followed);
    }

    private long measure(BenchmarkConnection connection, LongSupplier work) {
        long start = THREADS.getCurrentThreadCpuTime();
        long result = work.getAsLong();
        long took = THREADS.getCurrentThreadCpuTime() - start;
        if (connection == followed) {
            followedNanos += took;
        } else {
            aloneNanos += took;
        }
        return result;
    }
}
