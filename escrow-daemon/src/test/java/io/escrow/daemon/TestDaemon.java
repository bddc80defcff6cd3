package io.escrow.daemon;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.client.EscrowClientBuilder;
import io.escrow.codec.Wire;
import io.escrow.testing.ClassDataArchive;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;

/** A real daemon in a process of its own, at the socket {@code s} of a directory unless it is told otherwise. */
final class TestDaemon extends TestProcess {

    static final Duration TIMEOUT = Duration.ofSeconds(PATIENCE_SECONDS);

    /** How many descriptors a session of the library takes in the daemon: its socket, and its ring with an eventfd. */
    static final int SESSION = Wire.keepsFlags() ? 3 : 1;

    /** How long a number of descriptors must not change to be the right one. */
    private static final Duration STEADY = Duration.ofMillis(50);

    /** The jar of the daemon. */
    static final String JAR = System.getProperty("escrowd.jar");

    /** The options of Java with which processes start quickly whose class path begins with the jar. */
    static final String[] ARCHIVE = ClassDataArchive.options(JAR).toArray(String[]::new);

    private final Path path;

    private TestDaemon(Path path, ProcessBuilder builder) throws IOException {
        super(builder);
        this.path = path;
    }

    /** Returns the command line of a daemon. */
    static List<String> command(String... arguments) {
        List<String> command = java(ARCHIVE);
        command.addAll(List.of("-jar", JAR));
        command.addAll(List.of(arguments));
        return command;
    }

    /** Starts a daemon that listens. */
    static TestDaemon start(Path directory, String... options) throws IOException {
        Path path = directory.resolve("s");
        List<String> command = command(options);
        command.add(path.toString());
        return start(path, new ProcessBuilder(command));
    }

    /** Starts a daemon in a special way, and waits until it listens. */
    static TestDaemon start(Path path, ProcessBuilder builder) throws IOException {
        TestDaemon daemon = new TestDaemon(path, builder);
        try {
            daemon.awaitLine("Listening on \"" + path + "\"");
            // Left by a killed JVM with the same number; a daemon of another user can't remove it, and jcmd would use
            // it.
            Files.deleteIfExists(Path.of("/tmp/.java_pid" + daemon.pid()));
            return daemon;
        } catch (AssertionError e) {
            daemon.kill();
            throw e;
        }
    }

    /** Starts a daemon that may not be able to say that it listens. */
    static TestDaemon startSilent(Path path, ProcessBuilder builder) throws IOException {
        TestDaemon daemon = new TestDaemon(path, builder);
        await("the daemon's socket").atMost(TIMEOUT).until(() -> Files.exists(path) || !daemon.isAlive());
        return daemon;
    }

    /** Runs a daemon that ends by itself. */
    static TestProcess run(String... arguments) throws IOException {
        return run(new ProcessBuilder(command(arguments)));
    }

    static TestProcess run(ProcessBuilder builder) throws IOException {
        TestProcess daemon = new TestProcess(builder);
        try {
            daemon.awaitExit();
            return daemon;
        } finally {
            daemon.close();
        }
    }

    Path path() {
        return path;
    }

    EscrowClientBuilder client() {
        return EscrowClient.builder().path(path.toString()).connectTimeout(TIMEOUT);
    }

    /** Begins a session; waits for those before it to end. */
    BlockingEscrow connect() throws EscrowException {
        return client().connectBlocking(TIMEOUT);
    }

    /** Begins a session byte by byte. */
    RawClient open() throws IOException {
        return RawClient.open(path);
    }

    /** Returns the used indices of a tag, as a new client sees them. */
    Set<Integer> used(int tag) throws EscrowException {
        try (BlockingEscrow escrow = connect()) {
            return used(escrow, tag);
        }
    }

    static Set<Integer> used(BlockingEscrow escrow, int tag) throws EscrowException {
        return escrow.list(tag).stream().map(slot -> slot.index()).collect(Collectors.toSet());
    }

    /** Checks that each used slot of a tag holds the file of its index, and returns how many there are. */
    int verifyFiles(int tag, TestFiles files) throws IOException {
        try (BlockingEscrow escrow = connect()) {
            return files.checkAll(escrow, tag);
        }
    }

    /** Does one of everything, so that nothing is opened or loaded later; returns how many descriptors are open then. */
    long warmUp() throws IOException {
        Path stored = path.resolveSibling("warm-up");
        try (TestFiles files = new TestFiles(stored, 1);
                BlockingEscrow escrow = connect()) {
            escrow.add(0, 0, files.get(0), new byte[1]);
            try (Entry entry = escrow.get(0, 0)) {
                assertTrue(entry.hasDescriptor());
            }
            escrow.delete(0, 0);
        }
        // Another thread of the daemon closes it.
        await("file of the slot").atMost(TIMEOUT).until(() -> !hasOpen(stored));
        // A session that has ended holds nothing any more when the next one is on, and that one is seen by its
        // descriptors.
        try (BlockingEscrow escrow = connect()) {
            assertEquals(0, escrow.tag(0).used());
            return steadyDescriptors(this) - SESSION;
        }
    }

    /** Returns how many descriptors are open: a JVM opens files of its own for a moment now and then, which do not count. */
    static long steadyDescriptors(TestProcess daemon) {
        AtomicLong last = new AtomicLong();
        await("descriptors of the daemon that stay")
                .atMost(TIMEOUT)
                .during(STEADY)
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(5))
                .until(daemon::descriptors, open -> last.getAndSet(open) == open);
        return last.get();
    }

    /** Waits until as many descriptors are open as should be. */
    void awaitDescriptors(long expected) {
        await("descriptors of the daemon (expected: " + expected + ")")
                .atMost(TIMEOUT)
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(5))
                .until(this::descriptors, open -> open == expected);
    }

    /** Fails if something was dropped without being released; ends the session that is on, if any, first. */
    void assertNoLeak() throws IOException {
        String jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd").toString();
        try (TestProcess collect = new TestProcess(new ProcessBuilder(
                jcmd, "-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1", Long.toString(pid()), "GC.run"))) {
            assertEquals(0, collect.awaitExit(), () -> collect.lines().toString());
        }
        // Leaks are reported when the next thing of the same kind is made.
        warmUp();
        assertEquals(
                List.of(),
                lines().stream().filter(line -> line.contains("LEAK")).toList());
    }

    /** Checks for leaks if the daemon still runs, and ends it. */
    @Override
    public void close() throws IOException {
        try {
            if (isAlive()) {
                assertNoLeak();
            }
        } finally {
            super.close();
        }
    }
}
