package io.escrow.examples;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Runs the packaged jar. Ended when it is closed. */
final class JarProcess implements AutoCloseable {

    private static final String JAR = System.getProperty("escrow-examples.jar");
    private static final long PATIENCE_SECONDS = 150;

    private final Process process;
    private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();
    /** What was read from the queue, for the message of a failure. */
    private final List<String> seen = new ArrayList<>();

    private final Thread reader;

    private JarProcess(List<String> starter, List<String> arguments) throws IOException {
        List<String> command = new ArrayList<>(starter);
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(arguments);
        process = new ProcessBuilder(command)
                .redirectInput(new File("/dev/null"))
                .redirectErrorStream(true)
                .start();
        reader = new Thread(this::readLines, "output-of-" + process.pid());
        reader.setDaemon(true);
        reader.start();
    }

    /** Runs an example. */
    static JarProcess start(String... arguments) throws IOException {
        return start(List.of(), arguments);
    }

    /** Runs an example by way of another command, which becomes the example. */
    static JarProcess start(List<String> starter, String... arguments) throws IOException {
        List<String> all = new ArrayList<>(List.of("-jar", JAR));
        all.addAll(List.of(arguments));
        return new JarProcess(starter, all);
    }

    /** Runs the daemon, and returns when it listens. */
    static JarProcess escrowd(Path socket) throws IOException, InterruptedException {
        JarProcess daemon =
                new JarProcess(List.of(), List.of("-cp", JAR, "io.escrow.daemon.main.Escrowd", socket.toString()));
        daemon.awaitLine("Listening on");
        return daemon;
    }

    private void readLines() {
        try (BufferedReader output = process.inputReader(UTF_8)) {
            output.lines().forEach(lines::add);
        } catch (IOException | UncheckedIOException e) {
            // kill() closes the stream.
            lines.add(e.toString());
        }
    }

    /** Waits for the next line with a text in it. */
    String awaitLine(String text) throws InterruptedException {
        String line;
        do {
            line = lines.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
            if (line == null) {
                throw new AssertionError("\"" + text + "\" was not printed, but: " + seen);
            }
            seen.add(line);
        } while (!line.contains(text));
        return line;
    }

    /** Waits until a number of lines with a text in them have been printed, counted from the start. */
    void awaitLines(String text, int count) throws InterruptedException {
        while (seen.stream().filter(line -> line.contains(text)).count() < count) {
            awaitLine(text);
        }
    }

    /** Waits for the end of the process, and returns its exit code. */
    int awaitExit() throws InterruptedException {
        if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError("still running: " + output());
        }
        reader.join();
        return process.exitValue();
    }

    /** Returns what was printed so far. */
    List<String> output() {
        lines.drainTo(seen);
        return seen;
    }

    /** Returns the processes that it has started. */
    List<ProcessHandle> descendants() {
        return process.descendants().toList();
    }

    /** Sends SIGTERM. */
    void terminate() {
        process.destroy();
    }

    /** Sends SIGKILL, and returns when the process is dead. */
    void kill() {
        descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
        process.onExit().join();
    }

    @Override
    public void close() {
        kill();
    }
}
