package io.escrow.testing;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.NANOSECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntPredicate;
import java.util.function.Predicate;
import java.util.stream.Stream;

/** A child process: its output line by line, signals to it, and its end, which {@link #close} brings at the latest. */
public class TestProcess implements AutoCloseable {

    /** How long anything may take that is certain to happen. */
    public static final int PATIENCE_SECONDS = 60;

    /** The Java that runs this process. */
    public static final String JAVA =
            Path.of(System.getProperty("java.home"), "bin", "java").toString();

    private final Process process;
    private final List<String> lines = new ArrayList<>();
    private final Thread reader;
    private final int patienceSeconds;
    private boolean ended;
    private int next;

    /** Starts a process. */
    public TestProcess(ProcessBuilder builder) throws IOException {
        this(builder, PATIENCE_SECONDS);
    }

    /** Starts a process that may take longer than others. */
    public TestProcess(ProcessBuilder builder, int patienceSeconds) throws IOException {
        this.patienceSeconds = patienceSeconds;
        process = builder.redirectErrorStream(true).start();
        reader = new Thread(this::readLines, "output of " + process.pid());
        reader.setDaemon(true);
        reader.start();
    }

    /** Returns the start of a command line that runs Java. */
    public static List<String> java(String... arguments) {
        List<String> command = new ArrayList<>(List.of(
                JAVA,
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                // Most of them end before what is compiled has paid off.
                "-XX:CompileThresholdScaling=2",
                // Many processes that live for a moment: it would be most of what they do.
                "-Descrow.rehearsal=false",
                "-Dio.netty.leakDetection.level=paranoid",
                "-Dio.netty.leakDetection.targetRecords=0"));
        command.addAll(List.of(arguments));
        return command;
    }

    /** Returns the command line that runs another one with SIGHUP as usual: whoever runs the tests may ignore it. */
    public static List<String> withHangup(List<String> command) {
        List<String> all = new ArrayList<>(List.of("env", "--default-signal=HUP"));
        all.addAll(command);
        return all;
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
    public final String awaitLine(String start) {
        return awaitLine(line -> line.startsWith(start), start);
    }

    /** Waits for a line of some kind, printed already or not. */
    public final String awaitLine(Predicate<String> wanted, String description) {
        int index = awaitLine(0, wanted, description);
        return lines().get(index);
    }

    /** Waits for the next line of some kind: the first one behind the line that this method returned last. */
    public final String nextLine(Predicate<String> wanted, String description) {
        int index = awaitLine(next, wanted, description);
        next = index + 1;
        return lines().get(index);
    }

    private int awaitLine(int from, Predicate<String> wanted, String description) {
        long deadline = System.nanoTime() + SECONDS.toNanos(patienceSeconds);
        synchronized (lines) {
            for (int i = from; ; i++) {
                while (i >= lines.size()) {
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
                    return i;
                }
            }
        }
    }

    /** Sends a line to stdin. */
    public final void say(String line) throws IOException {
        process.getOutputStream().write((line + "\n").getBytes(UTF_8));
        process.getOutputStream().flush();
    }

    /** Waits for the end, and for the last of the output. */
    public final int awaitExit() {
        try {
            if (!process.waitFor(patienceSeconds, TimeUnit.SECONDS)) {
                throw new AssertionError("process " + pid() + " does not end: " + lines());
            }
            reader.join(SECONDS.toMillis(patienceSeconds));
            return process.exitValue();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** Returns its process number. */
    public final long pid() {
        return process.pid();
    }

    /** Returns whether it has not ended yet. */
    public final boolean isAlive() {
        return process.isAlive();
    }

    /** Waits until none of its threads runs: each has done what it was told to do. */
    public final void awaitAsleep() throws IOException {
        awaitNoThread(state -> state == 'R', "come to rest");
    }

    private void awaitNoThread(IntPredicate state, String what) throws IOException {
        long deadline = System.nanoTime() + SECONDS.toNanos(patienceSeconds);
        while (hasThread(state)) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("process " + pid() + " does not " + what + ": " + lines());
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
        }
    }

    /** Returns whether a thread has a state, see proc(5), that is asked for; also if that is not known of one that ends. */
    private boolean hasThread(IntPredicate state) throws IOException {
        try (DirectoryStream<Path> threads = Files.newDirectoryStream(Path.of("/proc/" + pid() + "/task"))) {
            for (Path thread : threads) {
                if (state.test(stat(thread)[0].charAt(0))) {
                    return true;
                }
            }
        } catch (IOException e) {
            if (!isAlive()) {
                throw e;
            }
            return true; // A thread has ended meanwhile.
        }
        return false;
    }

    /** Sends SIGKILL, and waits until the process is gone. */
    public void kill() {
        // Not the process's own method: that one throws away what was printed last.
        process.toHandle().destroyForcibly();
        awaitExit();
    }

    /** Sends SIGTERM. */
    public final void terminate() {
        process.toHandle().destroy();
    }

    /** Sends SIGSTOP, and waits until every thread has stopped. */
    public final void pause() throws IOException {
        signal("STOP");
        try {
            awaitNoThread(state -> state != 'T', "stop");
        } catch (IOException | AssertionError e) {
            resume();
            throw e;
        }
    }

    /** Returns the processes that it has started, and those that they have started. */
    public final List<ProcessHandle> descendants() {
        return process.descendants().toList();
    }

    /** Sends SIGCONT. */
    public final void resume() throws IOException {
        signal("CONT");
    }

    /** Sends a signal. */
    public final void signal(String name) throws IOException {
        try (TestProcess kill = new TestProcess(new ProcessBuilder("kill", "-" + name, Long.toString(pid())))) {
            if (kill.awaitExit() != 0) {
                throw new AssertionError(kill.lines());
            }
        }
    }

    /** Returns the process group. */
    public final long group() throws IOException {
        return Long.parseLong(stat(Path.of("/proc/" + pid()))[2]);
    }

    /** Returns the fields of proc(5) stat from the state on: what is before it may contain spaces. */
    private static String[] stat(Path directory) throws IOException {
        String line = Files.readString(directory.resolve("stat"));
        return line.substring(line.lastIndexOf(')') + 2).split(" ", -1);
    }

    /** Counts the open descriptors. */
    public final long descriptors() {
        return descriptors(pid());
    }

    /** Returns whether the process has a file of a directory open, even if that is deleted. */
    public final boolean hasOpen(Path directory) {
        try (Stream<Path> open = Files.list(Path.of("/proc/" + pid() + "/fd"))) {
            return open.anyMatch(descriptor -> isIn(directory, descriptor));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static boolean isIn(Path directory, Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).startsWith(directory);
        } catch (IOException e) {
            // It was closed meanwhile.
            return false;
        }
    }

    /** Counts the open descriptors of a process. */
    public static long descriptors(long pid) {
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
