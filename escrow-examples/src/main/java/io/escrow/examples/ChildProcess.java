package io.escrow.examples;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/** A process that an example has started. What it prints after it is ready goes to stderr, unless it is mere news. */
final class ChildProcess {

    /** The level of a log at which nothing is wrong. */
    private static final String NEWS = " INFO ";

    private final Process process;
    private final String ready;
    private final CompletableFuture<String> readyLine = new CompletableFuture<>();
    private final List<String> printed = new ArrayList<>();
    private boolean ended;

    /** Takes over a process, which prints a line that begins with {@code ready} when it is ready. */
    ChildProcess(Process process, String ready) {
        this.process = process;
        this.ready = ready;
        Thread reader = new Thread(this::readLines, "output-of-" + process.pid());
        reader.setDaemon(true);
        reader.start();
    }

    private void readLines() {
        String last = "it said nothing";
        try (BufferedReader lines = process.inputReader(UTF_8)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.startsWith(ready)) {
                    readyLine.complete(line);
                } else if (readyLine.isDone() && !line.contains(NEWS)) {
                    System.err.println("[" + process.pid() + "] " + line);
                }
                last = line;
                printed(line);
            }
        } catch (IOException e) {
            last = e.toString();
        }
        synchronized (printed) {
            ended = true;
            printed.notifyAll();
        }
        readyLine.completeExceptionally(
                new IOException("process " + process.pid() + " ended before it was ready: " + last));
    }

    void awaitReady() throws IOException, InterruptedException {
        try {
            readyLine.get();
        } catch (ExecutionException e) {
            throw (IOException) e.getCause();
        }
    }

    private void printed(String line) {
        synchronized (printed) {
            printed.add(line);
            printed.notifyAll();
        }
    }

    /** Waits for a line that begins with {@code start}, and returns the first. */
    String awaitLine(String start) throws InterruptedException, IOException {
        synchronized (printed) {
            while (true) {
                for (String line : printed) {
                    if (line.startsWith(start)) {
                        return line;
                    }
                }
                if (ended) {
                    throw new IOException("process " + process.pid() + " ended without a line \"" + start + " ...\"");
                }
                printed.wait();
            }
        }
    }

    /** Sends SIGTERM. */
    void terminate() {
        // Process.destroy() would close the stream of what it prints.
        process.toHandle().destroy();
    }

    /** Returns when the process has ended by itself. */
    void awaitEnd() {
        process.onExit().join();
    }

    /** Returns the line that it printed when it was ready. */
    String readyLine() {
        return readyLine.join();
    }

    long pid() {
        return process.pid();
    }

    /** Returns how much time of processors it has used, as exactly as the kernel tells. */
    Duration processorTime() {
        return process.info().totalCpuDuration().orElse(Duration.ZERO);
    }

    /** Sends SIGKILL to the process and what it has started, and returns when it is dead. */
    void kill() {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
        process.onExit().join();
    }
}
