package io.escrow.daemon.main;

import io.escrow.daemon.events.LogQueue;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;
import picocli.CommandLine.Option;

/** The options of the daemon's log. */
final class LogOptions {

    private static final int MIN_QUEUE = 4_096;
    private static final int MAX_QUEUE = 64 * 1024 * 1024;

    /** How long the end of the process waits for a reader of the log. */
    private static final Duration PATIENCE = Duration.ofSeconds(1);

    @Option(
            names = "--log-format",
            paramLabel = "FORMAT",
            description = "format of the log on stderr: ${COMPLETION-CANDIDATES}; default: ${DEFAULT-VALUE}")
    private LogFormat format = LogFormat.TEXT;

    @Option(
            names = "--log-queue",
            paramLabel = "BYTES",
            description = "most of the log that waits while nobody reads stderr, 4096 to 67108864; what does not fit is"
                    + " dropped; default: ${DEFAULT-VALUE}")
    private int queueBytes = 256 * 1024;

    private final PrintStream stderr = System.err;
    private LogQueue queue;

    /** Applies the format to what this process logs. */
    void applyFormat() {
        format.apply();
    }

    /** Lets everything that this process prints on stderr from now on go through the queue. */
    void begin() {
        queue = new LogQueue(new FileOutputStream(FileDescriptor.err), queueBytes, format.apply());
        System.setErr(queue.printer());
    }

    /**
     * Checks the values.
     *
     * @throws IllegalArgumentException naming the value and its bounds
     */
    void check() {
        if (queueBytes < MIN_QUEUE || queueBytes > MAX_QUEUE) {
            throw new IllegalArgumentException(
                    "log queue: " + queueBytes + " bytes (expected: " + MIN_QUEUE + ".." + MAX_QUEUE + ")");
        }
    }

    void tellListening(Path path) {
        format.tellListening(path);
    }

    void tellStandingBy(Path path) {
        format.tellStandingBy(path);
    }

    /** Writes what is queued, if somebody reads it; then the queue is used no more. */
    void end() {
        queue.drain(PATIENCE);
        System.setErr(stderr);
    }
}
