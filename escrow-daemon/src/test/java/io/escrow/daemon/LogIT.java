package io.escrow.daemon;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.escrow.client.BlockingEscrow;
import io.escrow.daemon.main.Escrowd;
import io.escrow.testing.TestProcess;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Everything that the daemon prints is its log, line by line, whoever logs it; nothing else is set up by its jars. */
class LogIT {

    private static final int TAG = 1;

    /** Netty logs it as it is. */
    private static final String HOSTILE = "-Dio.netty.eventLoopThreads=x\n\"forged\"";

    private static final String WITHOUT_LOGBACK = Arrays.stream(
                    System.getProperty("java.class.path").split(File.pathSeparator, -1))
            .filter(entry -> !entry.contains("logback"))
            .collect(Collectors.joining(File.pathSeparator));

    @TempDir
    Path directory;

    private Path socket;

    @BeforeEach
    void nameSocket() {
        socket = directory.resolve("s");
    }

    private TestDaemon start(String... options) throws IOException {
        List<String> command = TestProcess.java(HOSTILE, "-jar", System.getProperty("escrowd.jar"));
        command.addAll(List.of(options));
        command.add(socket.toString());
        return TestDaemon.startSilent(socket, new ProcessBuilder(command));
    }

    /** Sends what is no packet, stores something, and ends the daemon; returns what it has printed. */
    private static List<String> printed(TestDaemon daemon) throws IOException {
        daemon.awaitLine(line -> line.contains("Listening on "), "Listening on");
        try (RawClient wrong = RawClient.connect(daemon.path())) {
            wrong.bytes(RawClient.ints(4, 0));
            wrong.receive();
            wrong.awaitEnd();
        }
        try (BlockingEscrow escrow = daemon.connect()) {
            escrow.add(TAG, 0, "secret".getBytes(US_ASCII));
        }
        daemon.terminate();
        daemon.awaitExit();
        return daemon.lines();
    }

    @Test
    void jsonOnly() throws IOException {
        try (TestDaemon daemon = start("--log-format", "json")) {
            List<JsonObject> events = printed(daemon).stream()
                    .map(line -> JsonParser.parseString(line).getAsJsonObject())
                    .toList();

            events.forEach(event -> Instant.parse(event.get("time").getAsString()));
            assertTrue(message(events.get(0)).contains("eventLoopThreads':x\n\"forged\""), events::toString);
            assertEquals(
                    List.of(
                            "INFO Listening on \"" + socket + "\"",
                            "WARN session ended",
                            "INFO session began",
                            "INFO session ended",
                            "WARN slots dropped"),
                    events.stream()
                            .skip(1)
                            .map(event -> event.get("level").getAsString() + " " + message(event))
                            .toList());
            assertEquals(socket.toString(), events.get(1).get("path").getAsString());
            assertEquals("EPROTO", events.get(2).get("status").getAsString());
            assertEquals(ProcessHandle.current().pid(), events.get(2).get("pid").getAsLong());
            assertEquals(1, events.get(4).get("requests").getAsInt());
            assertEquals(1, events.get(5).get("slots").getAsInt());
        }
    }

    private static String message(JsonObject event) {
        return event.get("message").getAsString();
    }

    @Test
    void textOnly() throws IOException {
        try (TestDaemon daemon = start()) {
            List<String> lines = printed(daemon);

            assertEquals(6, lines.size(), lines::toString);
            assertTrue(
                    lines.get(0).matches("[-:.T\\d]{23} WARN  .*eventLoopThreads':x\\\\u000a\"forged\".*"),
                    lines.get(0));
            assertEquals("Listening on \"" + socket + "\"", lines.get(1));
            assertTrue(
                    lines.get(2)
                            .matches("[-:.T\\d]{23} WARN  session ended uid=\"\\d+\" gid=\"\\d+\" pid=\""
                                    + ProcessHandle.current().pid()
                                    + "\" .* status=\"EPROTO\" reason=\"packet length: .*\""),
                    lines.get(2));
            assertTrue(lines.get(5).endsWith(" WARN  slots dropped slots=\"1\""), lines.get(5));
        }
    }

    /** What operators read on stdout are answers only. */
    @Test
    void controlCommandsDoNotLog() throws IOException {
        try (TestDaemon daemon = TestDaemon.start(directory)) {
            TestProcess status =
                    TestDaemon.run("ctl", "status", "--json", daemon.path().toString());
            assertEquals(0, status.awaitExit(), () -> status.lines().toString());
            assertTrue(JsonParser.parseString(String.join("\n", status.lines())).isJsonObject());
        }
    }

    /** As on the class path of a program that logs in another way. */
    @Test
    void logbackMayBeMissing() throws IOException {
        List<String> command = TestProcess.java(
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                WITHOUT_LOGBACK,
                Escrowd.class.getName(),
                socket.toString());
        try (TestDaemon daemon = TestDaemon.start(socket, new ProcessBuilder(command))) {
            daemon.warmUp();
            assertTrue(
                    daemon.lines().stream().allMatch(line -> line.matches("(SLF4J|Listening on ).*")),
                    () -> daemon.lines().toString());
        }
        command.add("--log-format=json");
        TestProcess refused = TestDaemon.run(new ProcessBuilder(command));
        assertEquals(1, refused.awaitExit());
        refused.awaitLine("escrowd: --log-format=json needs logback");
    }
}
