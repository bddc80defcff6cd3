package io.escrow.daemon;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.NANOSECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Stream;

/** A child process: its output line by line, signals to it, and its end, which {@link #close} brings at the latest. */
public class TestProcess implements AutoCloseable {

    /** How long anything may take that is certain to happen. */
    static final int PATIENCE_SECONDS = 60;

    static final String JAVA =
            Path.of(System.getProperty("java.home"), "bin", "java").toString();

    private final Process process;
    private final List<String> lines = new ArrayList<>();
    private final Thread reader;
    private boolean ended;

    public TestProcess(ProcessBuilder builder) throws IOException {
        process = builder.redirectErrorStream(true).start();
        reader = new Thread(this::readLines, "output of " + process.pid());
        reader.setDaemon(true);
        reader.start();
    }

    /** Returns the start of a command line that runs Java. */
    static List<String> java(String... arguments) {
        List<String> command = new ArrayList<>(List.of(
                JAVA, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dio.netty.leakDetection.level=paranoid"));
        command.addAll(List.of(arguments));
        return command;
    }

    private void readLines() {
        try (BufferedReader in = new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                synchronized (lines) {
                    lines.add(line);
                    lines.notifyAll();
                }
            }
        } catch (IOException e) {
            // The process was killed while it wrote.
        }
        synchronized (lines) {
            ended = true;
            lines.notifyAll();
        }
    }

    /** Returns what was printed until now on stdout and stderr. */
    public final List<String> lines() {
        synchronized (lines) {
            return List.copyOf(lines);
        }
    }

    /** Waits for a line, printed already or not. */
    final String awaitLine(String start) {
        return awaitLine(line -> line.startsWith(start), start);
    }

    final String awaitLine(Predicate<String> wanted, String description) {
        long deadline = System.nanoTime() + SECONDS.toNanos(PATIENCE_SECONDS);
        synchronized (lines) {
            for (int i = 0; ; i++) {
                while (i == lines.size()) {
                    long left = deadline - System.nanoTime();
                    if (ended || left <= 0) {
                        throw new AssertionError("no line \"" + description + "\" in " + lines);
                    }
                    try {
                        NANOSECONDS.timedWait(lines, left);
                    } catch (InterruptedException e) {
                        throw new AssertionError(e);
                    }
                }
                if (wanted.test(lines.get(i))) {
                    return lines.get(i);
                }
            }
        }
    }

    /** Sends a line to stdin. */
    final void say(String line) throws IOException {
        process.getOutputStream().write((line + "\n").getBytes(UTF_8));
        process.getOutputStream().flush();
    }

    /** Waits for the end, and for the last of the output. */
    public final int awaitExit() {
        try {
            if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                throw new AssertionError("process " + pid() + " does not end: " + lines());
            }
            reader.join(SECONDS.toMillis(PATIENCE_SECONDS));
            return process.exitValue();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    final long pid() {
        return process.pid();
    }

    final boolean isAlive() {
        return process.isAlive();
    }

    /** Sends SIGKILL, and waits until the process is gone. */
    final void kill() {
        // Not the process's own method: that one throws away what was printed last.
        process.toHandle().destroyForcibly();
        awaitExit();
    }

    /** Sends SIGTERM. */
    final void terminate() {
        process.toHandle().destroy();
    }

    /** Sends SIGSTOP, and waits until every thread has stopped. */
    final void pause() throws IOException {
        signal("STOP");
        while (threadStates().anyMatch(state -> state != 'T')) {
            Thread.onSpinWait();
        }
    }

    /** Sends SIGCONT. */
    final void resume() throws IOException {
        signal("CONT");
    }

    private void signal(String name) throws IOException {
        try (TestProcess kill = new TestProcess(new ProcessBuilder("kill", "-" + name, Long.toString(pid())))) {
            if (kill.awaitExit() != 0) {
                throw new AssertionError(kill.lines());
            }
        }
    }

    private Stream<Character> threadStates() throws IOException {
        List<Character> states = new ArrayList<>();
        try (Stream<Path> threads = Files.list(Path.of("/proc/" + pid() + "/task"))) {
            for (Path thread : threads.toList()) {
                states.add(stat(thread)[0].charAt(0));
            }
        }
        return states.stream();
    }

    /** Returns the process group. */
    final long group() throws IOException {
        return Long.parseLong(stat(Path.of("/proc/" + pid()))[2]);
    }

    /** Returns the fields of proc(5) stat from the state on: what is before it may contain spaces. */
    private static String[] stat(Path directory) throws IOException {
        String line = Files.readString(directory.resolve("stat"));
        return line.substring(line.lastIndexOf(')') + 2).split(" ", -1);
    }

    /** Counts the open descriptors. */
    final long descriptors() {
        return descriptors(pid());
    }

    /** Counts the open descriptors of a process. */
    static long descriptors(long pid) {
        try (Stream<Path> open = Files.list(Path.of("/proc/" + pid + "/fd"))) {
            return open.count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() throws IOException {
        kill();
        process.getOutputStream().close();
    }
}
