package io.escrow.daemon;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.client.BlockingEscrow;
import io.escrow.testing.TestProcess;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A pipe as stderr that nobody reads: the daemon goes on, and says later what is missing. */
class UnreadLogIT {

    private static final int SESSIONS = 500;

    @TempDir
    Path directory;

    private Path pipe;

    @AutoClose
    private BufferedReader reader;

    @BeforeEach
    void makePipe() throws IOException {
        pipe = directory.resolve("pipe");
        assertEquals(
                0, TestDaemon.run(new ProcessBuilder("mkfifo", pipe.toString())).awaitExit());
    }

    private TestDaemon start(String... options) throws IOException {
        Path socket = directory.resolve("s");
        List<String> command = new ArrayList<>(List.of("sh", "-c", "p=$1; shift; exec \"$@\" 2>$p", "sh"));
        command.add(pipe.toString());
        command.addAll(TestDaemon.command(options));
        command.add(socket.toString());
        // Whoever opens a pipe waits for another process, unless it opens both ends.
        try (RandomAccessFile both = new RandomAccessFile(pipe.toFile(), "rw")) {
            assertTrue(both.getFD().valid());
            TestDaemon daemon = TestDaemon.startSilent(socket, new ProcessBuilder(command));
            reader = Files.newBufferedReader(pipe, UTF_8);
            return daemon;
        }
    }

    private static void runSessions(TestDaemon daemon) throws IOException {
        for (int i = 0; i < SESSIONS; i++) {
            daemon.open().close();
        }
        // The end of the last session is logged before the next one begins.
        assertEquals(Set.of(), daemon.used(0));
    }

    /** Each session logs its begin and its end; with {@code --verbose} also a greeting in each direction. */
    @ParameterizedTest
    @CsvSource({"--verbose, 4, text", "--tags=32, 2, json"})
    void everySessionIsServed(String option, int linesOfSession, String format) throws IOException {
        try (TestDaemon daemon = start(option, "--log-queue=8192", "--log-format=" + format)) {
            runSessions(daemon);
            TestProcess metrics = TestDaemon.run("ctl", "metrics", daemon.path().toString());
            String counter = "escrowd_log_lines_dropped_total ";
            assertTrue(
                    metrics.awaitLine(counter).matches(Pattern.quote(counter) + "[1-9].*"),
                    () -> metrics.lines().toString());

            long read = 0;
            long dropped = 0;
            Pattern missing = Pattern.compile(".* ?log lines dropped[\", ]*lines[\":=]*(\\d+).*");
            daemon.terminate();
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                Matcher notice = missing.matcher(line);
                if (notice.matches()) {
                    dropped += Long.parseLong(notice.group(1));
                } else {
                    read++;
                }
            }
            assertTrue(dropped > 0);
            long last = linesOfSession == 2 ? 2 : 6; // The last session also asks something.
            assertEquals(1 + (long) SESSIONS * linesOfSession + last, read + dropped);
            assertEquals(128 + 15, daemon.awaitExit());
        }
    }

    @Test
    void endsAlthoughNobodyReads() throws IOException {
        try (TestDaemon daemon = start("--verbose")) {
            runSessions(daemon);
            try (BlockingEscrow escrow = daemon.connect()) {
                escrow.add(0, 0, new byte[1]);
            }
            daemon.terminate();
            assertEquals(128 + 15, daemon.awaitExit());
        }
    }
}
