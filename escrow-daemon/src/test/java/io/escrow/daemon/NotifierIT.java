package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.SocketPath;
import io.escrow.client.BlockingEscrow;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The daemon as a service of {@code Type=notify}. */
class NotifierIT {

    @TempDir
    Path directory;

    private ProcessBuilder daemon(String notifySocket, String... options) {
        List<String> command = TestDaemon.command(options);
        command.add(directory.resolve("s").toString());
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().put("NOTIFY_SOCKET", notifySocket);
        builder.environment().put("WATCHDOG_USEC", "400000");
        return builder;
    }

    @Test
    void tellsHowItFares() throws IOException {
        String name = "@escrow-" + UUID.randomUUID();
        Path path = directory.resolve("s");
        try (NotifySocket systemd = new NotifySocket(name);
                TestDaemon daemon = TestDaemon.start(path, daemon(name))) {
            assertEquals("READY=1\nSTATUS=slots: 0, descriptors: 0, session: none", systemd.next());
            assertEquals("WATCHDOG=1", systemd.next());
            assertEquals("WATCHDOG=1", systemd.next());
            try (BlockingEscrow escrow = daemon.connect()) {
                escrow.add(0, 0, new byte[1]);
                // How it was between two of these steps may be told, too.
                assertEquals("STATUS=slots: 1, descriptors: 0, session: on", nextBeginning(systemd, "STATUS=slots: 1"));
            }
            daemon.terminate();
            assertEquals(
                    "STOPPING=1\nSTATUS=stopping; dropped: slots: 1, descriptors: 0",
                    nextBeginning(systemd, "STOPPING=1"));
            daemon.awaitExit();
        }
    }

    private static String nextBut(NotifySocket systemd, String often) {
        String message;
        do {
            message = systemd.next();
        } while (message.equals(often));
        return message;
    }

    private static String nextBeginning(NotifySocket systemd, String text) {
        String message;
        do {
            message = systemd.next();
        } while (!message.startsWith(text));
        return message;
    }

    @Test
    void tellsWhetherItStandsBy() throws IOException {
        String name = "@escrow-" + UUID.randomUUID();
        try (NotifySocket first = new NotifySocket(name + 1);
                NotifySocket second = new NotifySocket(name + 2);
                NotifySocket third = new NotifySocket(name + 3);
                TestDaemon primary = TestDaemon.start(directory.resolve("s"), daemon(name + 1, "--standby"));
                TestProcess standby = new TestProcess(daemon(name + 2, "--standby"))) {
            assertEquals("READY=1\nSTATUS=standing by; slots: 0, descriptors: 0, session: none", second.next());
            assertEquals("WATCHDOG=1", second.next());
            try (TestProcess waiting = new TestProcess(daemon(name + 3, "--standby"))) {
                assertEquals(
                        "STATUS=not standing by: another escrowd stands by, or starts",
                        nextBut(third, "WATCHDOG=1"),
                        () -> waiting.lines().toString());
                assertEquals("WATCHDOG=1", third.next());
            }
            primary.terminate();
            assertEquals(
                    "STOPPING=1\nSTATUS=stopping; handed over: slots: 0, descriptors: 0",
                    nextBeginning(first, "STOPPING=1"));
            assertEquals(143, primary.awaitExit());
            standby.awaitLine(line -> line.startsWith("Listening on"), "Listening on");
            standby.terminate();
            assertEquals(
                    "STOPPING=1\nSTATUS=stopping; dropped: slots: 0, descriptors: 0",
                    nextBeginning(second, "STOPPING=1"));
        }
    }

    @Test
    void servesWhenNobodyListensToIt() throws IOException {
        Path path = directory.resolve("s");
        try (TestDaemon daemon =
                TestDaemon.start(path, daemon(directory.resolve("none").toString()))) {
            daemon.awaitLine(line -> line.contains("systemd can't be notified"), "a warning");
            daemon.warmUp();
            assertEquals(
                    1,
                    daemon.lines().stream()
                            .filter(line -> line.contains("systemd can't be notified"))
                            .count());
        }
    }

    /** What a service is told by systemd is not for the daemon that it starts. */
    @Test
    void saysNothingForTheClientThatHasStartedIt() throws Exception {
        Path path = directory.resolve("s");
        String name = directory.resolve("notify").toString();
        ProcessBuilder builder = new ProcessBuilder(
                TestClient.command(System.getProperty("java.class.path"), "create", path, directory, 0, 0));
        builder.environment().put("NOTIFY_SOCKET", name);
        builder.environment().put("LISTEN_FDS", "1");
        try (NotifySocket systemd = new NotifySocket(name);
                TestProcess client = new TestProcess(builder)) {
            client.awaitLine("holding");
            long pid =
                    Long.parseLong(Files.readAllLines(SocketPath.lockFile(path)).get(0));
            ProcessHandle daemon = ProcessHandle.of(pid).orElseThrow();
            try {
                String environment = Files.readString(Path.of("/proc/" + pid + "/environ"));
                assertTrue(environment.contains("PATH="), environment);
                assertFalse(environment.contains("NOTIFY_SOCKET=") || environment.contains("LISTEN_FDS="), environment);
                assertNull(systemd.poll());
            } finally {
                daemon.destroyForcibly();
                daemon.onExit().get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS);
            }
        }
    }
}
