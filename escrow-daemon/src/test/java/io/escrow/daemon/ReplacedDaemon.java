package io.escrow.daemon;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import io.escrow.SocketPath;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** A daemon whose place others take, one after the other. Ends them all. */
final class ReplacedDaemon implements AutoCloseable {

    private final TestDaemon first;
    private final Set<Long> successors = new LinkedHashSet<>();

    private ReplacedDaemon(TestDaemon first) {
        this.first = first;
    }

    /** Starts the first daemon, at the socket {@code s} of a directory. */
    static ReplacedDaemon start(Path directory, List<String> javaOptions, String... options) throws IOException {
        Path path = directory.resolve("s");
        List<String> command = TestProcess.java(TestDaemon.ARCHIVE);
        command.addAll(javaOptions);
        command.addAll(List.of("-jar", TestDaemon.JAR));
        command.addAll(List.of(options));
        command.add(path.toString());
        return new ReplacedDaemon(TestDaemon.start(path, new ProcessBuilder(command)));
    }

    TestDaemon first() {
        return first;
    }

    Path path() {
        return first.path();
    }

    /** Returns the number of the process that the lock file names. */
    long serving() throws IOException {
        return Long.parseLong(Files.readAllLines(SocketPath.lockFile(path())).get(0));
    }

    /** Runs the operators' command without waiting for its end. */
    TestProcess beginUpgrade(String... options) throws IOException {
        List<String> arguments = new ArrayList<>(List.of("ctl", "upgrade"));
        arguments.addAll(List.of(options));
        arguments.add(path().toString());
        return new TestProcess(new ProcessBuilder(TestDaemon.command(arguments.toArray(String[]::new))));
    }

    /** Upgrades in place; the command must succeed. */
    void upgrade() throws IOException {
        long before = serving();
        try (TestProcess command = beginUpgrade()) {
            assertEquals(0, command.awaitExit(), () -> command.lines() + " " + first.lines());
        }
        successors.add(serving());
        assertFalse(isAlive(before), "the command returned before process " + before + " had ended");
    }

    /** Waits for the process that is about to take over. */
    long awaitSuccessor() {
        long successor = await("successor of " + first.pid())
                .atMost(TestDaemon.TIMEOUT)
                .until(() -> first.descendants().stream().findFirst(), found -> found.isPresent())
                .orElseThrow()
                .pid();
        successors.add(successor);
        return successor;
    }

    static boolean isAlive(long pid) {
        // A child that was not waited for yet has no files open.
        return ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false)
                && Files.isReadable(Path.of("/proc/" + pid + "/exe"));
    }

    static void kill(long pid) {
        ProcessHandle.of(pid).ifPresent(process -> {
            process.destroyForcibly();
            await("end of process " + pid).atMost(TestDaemon.TIMEOUT).until(() -> !isAlive(pid));
        });
    }

    @Override
    public void close() throws IOException {
        first.descendants().forEach(process -> successors.add(process.pid()));
        successors.forEach(ReplacedDaemon::kill);
        first.kill();
    }
}
