package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.Certificates;
import io.escrow.testing.InMemoryEscrow;
import io.escrow.testing.InMemoryEscrow.Capacity;
import io.escrow.testing.TestProcess;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * No number of a record is used twice, whatever becomes of the processes. Each client keeps a record of every key and number that its
 * connection was sealed with, by all of them.
 */
class TlsNonceIT extends TlsHarness {

    private static final int CLIENTS = 8;
    /** Up to so long after a handover has begun, one of its processes is killed, and more often soon than late. */
    private static final double KILL_WITHIN_MILLIS = 500;

    /** What becomes of the processes. */
    private enum Step {
        AT_ONCE,
        IN_WAVES,
        /** The escrow has no room. */
        FAILING,
        NEXT_IS_KILLED,
        OLD_IS_KILLED,
        KILLED
    }

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final List<Future<?>> clients = new ArrayList<>();
    private final List<AtomicInteger> echoes =
            IntStream.range(0, CLIENTS).mapToObj(i -> new AtomicInteger()).toList();
    private final AtomicInteger ended = new AtomicInteger();
    private final List<TestProcess> started = new ArrayList<>();
    private volatile boolean enough;
    private Capacity capacity = Capacity.LARGE;
    private TestProcess server;

    @Override
    protected AutoCloseable startDaemon(Path path) {
        return InMemoryEscrow.start(path, capacity);
    }

    @AfterEach
    void endAll() throws Exception {
        enough = true;
        for (TestProcess process : started) {
            process.close();
        }
        threads.shutdownNow();
        assertTrue(threads.awaitTermination(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS));
    }

    private TestProcess launch() throws IOException {
        List<String> command = new ArrayList<>(TestProcess.java(
                "-Xshare:auto",
                "-cp",
                System.getProperty("java.class.path"),
                TlsProgram.class.getName(),
                socket().toString(),
                directory.resolve("keys").toString(),
                Integer.toString(port),
                Boolean.toString(crashSafe)));
        TestProcess process = new TestProcess(new ProcessBuilder(command));
        started.add(process);
        return process;
    }

    private TestProcess launchWaiting() throws IOException {
        TestProcess next = launch();
        next.awaitLine(TlsProgram.WAITING);
        return next;
    }

    private void serve(TestProcess next) {
        String line = next.awaitLine(TlsProgram.SERVING);
        port = Integer.parseInt(line.replaceAll("\\D*(\\d+):.*", "$1"));
        server = next;
    }

    private TlsPeer open(Random random) throws Exception {
        String[] suite =
                TlsProgram.SUITES.get(random.nextInt(TlsProgram.SUITES.size())).split(" ", 2);
        SSLEngine engine = clientContext().createSSLEngine("localhost", port);
        SSLParameters parameters = engine.getSSLParameters();
        parameters.setProtocols(new String[] {suite[0]});
        parameters.setCipherSuites(new String[] {suite[1]});
        engine.setSSLParameters(parameters);
        return new TlsPeer(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), engine);
    }

    private Void talk(int number, Random random) throws Exception {
        while (!enough) {
            try (TlsPeer peer = open(random)) {
                try {
                    talk(peer, number, random);
                } catch (EOFException | SocketException e) {
                    ended.incrementAndGet();
                    // Whatever else was sealed counts, too.
                    peer.readToEnd();
                    throw e;
                }
            } catch (SSLException e) {
                throw e;
            } catch (IOException e) {
                // Its process was killed, or the next one takes its time to start.
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
            }
        }
        return null;
    }

    private void talk(TlsPeer peer, int number, Random random) throws IOException {
        boolean updates = peer.engine().getSession().getProtocol().equals("TLSv1.3");
        while (!enough) {
            peer.assertEchoes(Peer.bytes(1 + random.nextInt(30_000), random.nextInt()));
            echoes.get(number).incrementAndGet();
            if (updates && random.nextInt(30) == 0) {
                peer.updateKeys();
            }
            // So that the processes have some of the machine, too.
            LockSupport.parkNanos(random.nextInt(10_000_000));
        }
    }

    /** Waits until each client has had an answer. */
    private void awaitAnswers() throws Exception {
        int[] before = echoes.stream().mapToInt(AtomicInteger::get).toArray();
        await().atMost(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS)
                .until(() -> clients.stream().anyMatch(Future::isDone)
                        || IntStream.range(0, CLIENTS)
                                .allMatch(i -> echoes.get(i).get() > before[i]));
        for (Future<?> client : clients) {
            if (client.isDone()) {
                client.get();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void noNumberIsUsedTwice(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        Certificates.write(SERVER, directory.resolve("keys"));
        long seed = System.nanoTime();
        Random random = new Random(seed);
        serve(launch());
        for (int i = 0; i < CLIENTS; i++) {
            int number = i;
            Random own = new Random(random.nextLong());
            clients.add(threads.submit(() -> talk(number, own)));
        }
        List<Step> steps =
                new ArrayList<>(List.of(Step.AT_ONCE, Step.IN_WAVES, Step.NEXT_IS_KILLED, Step.OLD_IS_KILLED));
        steps.addAll(crashSafe ? List.of(Step.KILLED, Step.IN_WAVES) : List.of(Step.FAILING, Step.IN_WAVES));
        Collections.shuffle(steps, random);
        try {
            for (Step step : steps) {
                awaitAnswers();
                int before = ended.get();
                take(step, random);
                awaitAnswers();
                if (step == Step.AT_ONCE || step == Step.IN_WAVES || step == Step.FAILING) {
                    assertEquals(before, ended.get(), "connections that had ended by " + step);
                }
            }
            enough = true;
            for (Future<?> client : clients) {
                client.get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS);
            }
        } catch (Exception | AssertionError e) {
            throw new AssertionError("with the seed " + seed + ", steps " + steps, e);
        }
        server.say(TlsProgram.CLOSE);
        assertEquals(0, server.awaitExit());
    }

    private void take(Step step, Random random) throws Exception {
        switch (step) {
            case AT_ONCE -> {
                server.say(TlsProgram.HAND_OVER);
                server.awaitLine(TlsProgram.HANDED_OVER);
                serve(launch());
            }
            case IN_WAVES -> {
                TestProcess next = launchWaiting();
                server.say(TlsProgram.HAND_OVER);
                server.awaitLine(TlsProgram.HANDED_OVER);
                serve(next);
            }
            case FAILING -> {
                replaceEscrow(new Capacity(1_000, 200, 1_000));
                server.say(TlsProgram.HAND_OVER);
                nextEnd(TlsProgram.FAILED);
                replaceEscrow(Capacity.LARGE);
                // Before that it has no session for which another process would wait.
                take(Step.AT_ONCE, random);
            }
            case NEXT_IS_KILLED -> {
                TestProcess next = launchWaiting();
                server.say(TlsProgram.HAND_OVER);
                killWithin(next, random);
                String line = nextEnd("");
                if (line.startsWith(TlsProgram.HANDED_OVER)) {
                    serve(launch());
                }
            }
            case OLD_IS_KILLED -> {
                TestProcess next = launchWaiting();
                server.say(TlsProgram.HAND_OVER);
                killWithin(server, random);
                serve(next);
            }
            case KILLED -> {
                server.kill();
                serve(launch());
            }
        }
    }

    /** Waits until this handover has ended, and not the one before that the same process could not do. */
    private String nextEnd(String how) {
        return server.nextLine(
                line -> line.startsWith(how)
                        && (line.startsWith(TlsProgram.HANDED_OVER) || line.startsWith(TlsProgram.FAILED)),
                "end of the handover " + how);
    }

    private static void killWithin(TestProcess process, Random random) {
        // At whatever it is just then.
        double millis = Math.pow(KILL_WITHIN_MILLIS, random.nextDouble());
        LockSupport.parkNanos((long) (millis * TimeUnit.MILLISECONDS.toNanos(1)));
        process.kill();
    }

    private void replaceEscrow(Capacity limits) throws Exception {
        capacity = limits;
        daemon.close();
        restartDaemon();
    }
}
