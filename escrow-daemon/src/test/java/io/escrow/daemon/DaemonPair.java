package io.escrow.daemon;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.SocketPath;
import io.escrow.client.EscrowClient;
import io.escrow.client.EscrowClientBuilder;
import io.escrow.control.StandbyView;
import io.escrow.control.StatusView;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Daemons that stand by for each other at the socket {@code s} of a directory. Ends them all. */
final class DaemonPair implements AutoCloseable {

    private final Path path;
    private final List<TestProcess> daemons = new ArrayList<>();
    private String[] options;
    private TestProcess primary;
    private TestProcess standby;

    private DaemonPair(Path path) {
        this.path = path;
    }

    /** Starts one that serves, and one that is in step. */
    static DaemonPair start(Path directory, String... options) throws IOException {
        return start(directory, List.of(), List.of(), options);
    }

    static DaemonPair start(Path directory, List<String> primaryJava, List<String> standbyJava, String... options)
            throws IOException {
        DaemonPair pair = new DaemonPair(directory.resolve("s"));
        try {
            pair.options = options;
            pair.primary = pair.startOne(primaryJava);
            pair.primary.awaitLine("Listening on");
            pair.startStandby(standbyJava);
            return pair;
        } catch (AssertionError | IOException e) {
            pair.close();
            throw e;
        }
    }

    TestProcess startOne(List<String> javaOptions) throws IOException {
        List<String> command = TestProcess.java(TestDaemon.ARCHIVE);
        command.addAll(javaOptions);
        command.addAll(List.of("-jar", TestDaemon.JAR, "--standby"));
        command.addAll(List.of(options));
        command.add(path.toString());
        TestProcess process = new TestProcess(new ProcessBuilder(command));
        daemons.add(process);
        return process;
    }

    /** Starts the next one that stands by, and waits until it is in step. */
    void startStandby(List<String> javaOptions) throws IOException {
        standby = startOne(javaOptions);
        awaitInStep();
    }

    void startStandby() throws IOException {
        startStandby(List.of());
    }

    /** Starts the next one that stands by, and waits until it has stopped at a step. */
    void startStandbyUntil(String step) throws IOException {
        standby = startOne(List.of("-Descrow.test.step=" + step));
        standby.awaitLine("stopped at " + step);
    }

    /** Lets the one that stands by go on. */
    void resumeStandby() throws IOException {
        standby.say("go on");
    }

    /** Starts one that waits until it can stand by. */
    TestProcess startThird() throws IOException {
        TestProcess third = startOne(List.of());
        third.awaitLine(line -> line.contains("another escrowd stands by"), "another escrowd stands by");
        return third;
    }

    /** Waits until a process serves that was the third one. */
    void serves(TestProcess third) {
        third.awaitLine("Listening on");
        primary = third;
        standby = null;
    }

    /** Checks that one process serves, and no other one. */
    void checkOneServes() throws IOException {
        List<Long> serving = daemons.stream()
                .filter(TestProcess::isAlive)
                .filter(daemon -> daemon.lines().stream().anyMatch(line -> line.startsWith("Listening on")))
                .map(TestProcess::pid)
                .toList();
        assertEquals(List.of(status().pid()), serving, this::logs);
    }

    /** Kills the one that serves, and waits until the other one does. */
    void killPrimary() {
        primary.kill();
        awaitPromoted();
    }

    /** Has the one that serves end, and waits until the other one does. */
    void terminatePrimary() {
        primary.terminate();
        assertEquals(143, primary.awaitExit(), this::logs);
        awaitPromoted();
    }

    /** Waits until the one that stands by has everything. */
    void awaitInStep() {
        await("standby in step")
                .atMost(TestDaemon.TIMEOUT)
                .pollInterval(Duration.ofMillis(20))
                .ignoreExceptionsInstanceOf(IOException.class)
                .until(() -> standbyView() != null && standbyView().inStep());
    }

    Path path() {
        return path;
    }

    TestProcess primary() {
        return primary;
    }

    TestProcess standby() {
        return standby;
    }

    StatusView status() throws IOException {
        return Operator.ask(path, "GET /status").read(StatusView.class);
    }

    StandbyView standbyView() throws IOException {
        return status().standby();
    }

    EscrowClientBuilder client() {
        return EscrowClient.builder().path(path.toString()).connectTimeout(TestDaemon.TIMEOUT);
    }

    /** Returns the number of the process that the lock file names. */
    long serving() throws IOException {
        return Long.parseLong(Files.readAllLines(SocketPath.lockFile(path)).get(0));
    }

    /** Waits until the one that stood by serves; it is the primary then. */
    void awaitPromoted() {
        await("serving in place of another")
                .atMost(TestDaemon.TIMEOUT)
                .pollInterval(Duration.ofMillis(5))
                .ignoreExceptionsInstanceOf(IOException.class)
                .until(() -> status().pid() == standby.pid());
        primary = standby;
        standby = null;
    }

    /** Returns everything that was logged. */
    String logs() {
        StringBuilder text = new StringBuilder();
        daemons.forEach(daemon ->
                text.append("\n--- ").append(daemon.pid()).append("\n").append(String.join("\n", daemon.lines())));
        return text.toString();
    }

    @Override
    public void close() {
        daemons.forEach(TestProcess::kill);
    }
}
