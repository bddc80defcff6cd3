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
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The daemon as a service of {@code Type=notify}. */
class NotifierIT {

    @TempDir
    Path directory;

    private ProcessBuilder daemon(String notifySocket) {
        ProcessBuilder builder =
                new ProcessBuilder(TestDaemon.command(directory.resolve("s").toString()));
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
                assertEquals("STATUS=slots: 1, descriptors: 0, session: on", nextBut(systemd, "WATCHDOG=1"));
            }
            daemon.terminate();
            assertEquals(
                    "STOPPING=1\nSTATUS=stopping; dropped: slots: 1, descriptors: 0", nextBut(systemd, "WATCHDOG=1"));
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
