package io.escrow.handover.tls.record;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
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
 * Compares {@link MovedEngine} with the engine of the JDK, as servers, in buffers such as Netty's epoll transport has. Each
 * call of a benchmark lets both work on as many records, one after the other. What counts is not the time of the call but what
 * is printed at the end of each fork: the processor time of each, and their ratio, medians over the iterations.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 6, time = 1)
@Measurement(iterations = 11, time = 1)
public class MovedEngineBenchmark {

    private static final int BYTES = 1 << 19;
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    /** The suite, of TLS 1.3 or 1.2. */
    @Param({
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    })
    public String suite;

    /** How many bytes of data a record has. The JDK puts no more than 16,367 into one, for its padding. */
    @Param({"16352", "1024"})
    public int size;

    private final List<Double> movedTimes = new ArrayList<>();
    private final List<Double> jdkTimes = new ArrayList<>();
    private final List<Double> ratios = new ArrayList<>();
    private int records;
    private ByteBuffer data;
    private ByteBuffer sent;
    private ByteBuffer received;
    private ByteBuffer[] fromClients;
    private JdkConnection jdk;
    private MovedEngine moved;
    private RecordCipher client;
    private long movedNanos;
    private long jdkNanos;
    private long done;

    /** Makes the connections. */
    @Setup(Level.Trial)
    public void connect() throws Exception {
        records = BYTES / size;
        data = ByteBuffer.allocateDirect(size);
        sent = ByteBuffer.allocate(2 * RecordFormat.MAX_RECORD);
        received = ByteBuffer.allocateDirect(2 * RecordFormat.MAX_RECORD);
        fromClients = new ByteBuffer[] {ByteBuffer.allocateDirect(4 * BYTES), ByteBuffer.allocateDirect(4 * BYTES)};
        String protocol = suite.contains("_WITH_") ? CipherSuite.TLS_1_2 : CipherSuite.TLS_1_3;
        CipherSuite found = CipherSuite.of(protocol, suite).orElseThrow();
        jdk = new JdkConnection(protocol, suite);
        Random random = new Random(1);
        byte[] in = new byte[found.secretLength()];
        byte[] out = new byte[found.secretLength()];
        random.nextBytes(in);
        random.nextBytes(out);
        moved = new MovedEngine(new TlsState(
                found,
                new TlsState.Direction(in, 0, false),
                new TlsState.Direction(out, 0, false),
                true,
                new byte[0],
                new SessionInfo("", "", new byte[0], 0, List.of())));
        client = new RecordCipher(found, in, 0);
    }

    /** Begins to measure anew. */
    @Setup(Level.Iteration)
    public void begin() {
        movedNanos = 0;
        jdkNanos = 0;
        done = 0;
    }

    /** Notes what an iteration has measured. */
    @TearDown(Level.Iteration)
    public void note() {
        movedTimes.add((double) movedNanos / done);
        jdkTimes.add((double) jdkNanos / done);
        ratios.add((double) jdkNanos / movedNanos);
    }

    /** Prints the medians of what was measured. */
    @TearDown(Level.Trial)
    public void print() {
        int warmUp = ratios.size() / 3;
        System.out.printf(
                Locale.ROOT,
                "%nJava %s, %s, %d bytes: moved %.0f ns, JDK %.0f ns of processor time a record; rate %.2f of the JDK's%n",
                Runtime.version().feature(),
                suite,
                size,
                median(movedTimes, warmUp),
                median(jdkTimes, warmUp),
                median(ratios, warmUp));
    }

    private static double median(List<Double> values, int skipped) {
        List<Double> sorted =
                values.subList(skipped, values.size()).stream().sorted().toList();
        return sorted.get(sorted.size() / 2);
    }

    /**
     * Sends records.
     *
     * @return how many bytes were sent
     */
    @Benchmark
    public long wrap() throws SSLException {
        long start = THREADS.getCurrentThreadCpuTime();
        long bytes = wrapAll(jdk.server);
        long middle = THREADS.getCurrentThreadCpuTime();
        bytes += wrapAll(moved);
        count(start, middle);
        return bytes;
    }

    private long wrapAll(SSLEngine engine) throws SSLException {
        long bytes = 0;
        for (int i = 0; i < records; i++) {
            bytes += engine.wrap(data.clear(), sent.clear()).bytesProduced();
        }
        return bytes;
    }

    /**
     * Receives records.
     *
     * @return how many bytes were received
     */
    @Benchmark
    public long unwrap() throws SSLException, GeneralSecurityException {
        ByteBuffer forJdk = fromClients[0].clear();
        ByteBuffer forMoved = fromClients[1].clear();
        for (int i = 0; i < records; i++) {
            jdk.client.wrap(data.clear(), forJdk);
            client.seal(ContentType.APPLICATION_DATA, new ByteBuffer[] {data.clear()}, 0, size, forMoved);
        }
        forJdk.flip();
        forMoved.flip();
        long start = THREADS.getCurrentThreadCpuTime();
        long bytes = unwrapAll(jdk.server, forJdk);
        long middle = THREADS.getCurrentThreadCpuTime();
        bytes += unwrapAll(moved, forMoved);
        count(start, middle);
        if (bytes != 2L * records * size) {
            throw new IllegalStateException("received: " + bytes + " bytes (expected: " + 2L * records * size + ")");
        }
        return bytes;
    }

    private long unwrapAll(SSLEngine engine, ByteBuffer source) throws SSLException {
        long bytes = 0;
        while (source.hasRemaining()) {
            bytes += engine.unwrap(source, received.clear()).bytesProduced();
        }
        return bytes;
    }

    private void count(long start, long middle) {
        movedNanos += THREADS.getCurrentThreadCpuTime() - middle;
        jdkNanos += middle - start;
        done += records;
    }
}
