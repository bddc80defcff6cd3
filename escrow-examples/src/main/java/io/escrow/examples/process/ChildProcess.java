package io.escrow.examples.process;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/**
 * A process that was started by this one. Once the process is ready, its output is copied to stderr, except for log lines
 * of the level INFO.
 */
public final class ChildProcess {

    private static final String INFO = " INFO ";

    private final Process process;
    private final String ready;
    private final CompletableFuture<String> readyLine = new CompletableFuture<>();
    private final List<String> printed = new ArrayList<>();
    private boolean ended;

    /** Reads the output of a process, which prints a line that begins with {@code ready} when it is ready. */
    ChildProcess(Process process, String ready) {
        this.process = process;
        this.ready = ready;
        Thread reader = new Thread(this::readLines, "output-of-" + process.pid());
        reader.setDaemon(true);
        reader.start();
    }

    private void readLines() {
        String last = "it printed nothing";
        try (BufferedReader lines = process.inputReader(UTF_8)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.startsWith(ready)) {
                    readyLine.complete(line);
                } else if (readyLine.isDone() && !line.contains(INFO)) {
                    System.err.println("[" + process.pid() + "] " + line);
                }
                last = line;
                add(line);
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

    private void add(String line) {
        synchronized (printed) {
            printed.add(line);
            printed.notifyAll();
        }
    }

    void awaitReady() throws IOException, InterruptedException {
        try {
            readyLine.get();
        } catch (ExecutionException e) {
            throw (IOException) e.getCause();
        }
    }

    /** Returns the line that the process printed when it was ready. */
    public String readyLine() {
        return readyLine.join();
    }

    /** Waits until the process has printed a line that begins with {@code start}, and returns the first such line. */
    public String awaitLine(String start) throws InterruptedException, IOException {
        return awaitLine(start, false);
    }

    /** Waits as {@link #awaitLine} does, and forgets the line and all before it: the next call finds what comes behind it. */
    public String takeLine(String start) throws InterruptedException, IOException {
        return awaitLine(start, true);
    }

    private String awaitLine(String start, boolean take) throws InterruptedException, IOException {
        synchronized (printed) {
            while (true) {
                for (int i = 0; i < printed.size(); i++) {
                    String line = printed.get(i);
                    if (line.startsWith(start)) {
                        if (take) {
                            printed.subList(0, i + 1).clear();
                        }
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

    /** Returns the number of the process. */
    public long pid() {
        return process.pid();
    }

    /** Returns the processor time that the process has used, as exactly as the kernel counts it. */
    public Duration processorTime() {
        return process.info().totalCpuDuration().orElse(Duration.ZERO);
    }

    /** Writes a line to a process that was started to listen. */
    public void tell(String line) throws IOException {
        process.getOutputStream().write((line + "\n").getBytes(UTF_8));
        process.getOutputStream().flush();
    }

    /** Sends SIGTERM. */
    public void terminate() {
        // Process.destroy() would close the stream from which the output is read.
        process.toHandle().destroy();
    }

    /** Waits until the process has ended by itself. */
    public void awaitEnd() {
        // Of a process that has ended, onExit() waits for whoever has got its number since.
        if (process.isAlive()) {
            process.onExit().join();
        }
    }

    /** Sends SIGKILL to the process and all its descendants, and waits until the process has ended. */
    public void kill() {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
        awaitEnd();
    }
}
