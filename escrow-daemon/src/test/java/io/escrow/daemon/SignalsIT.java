package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.client.BlockingEscrow;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Signals that operators send to rotate logs or to reload: they end no daemon, and cost no slot. */
class SignalsIT {

    @TempDir
    Path directory;

    @Test
    void onlyTheEndIsAnEnd() throws IOException {
        Path socket = directory.resolve("s");
        List<String> command = TestProcess.withHangup(TestDaemon.command(socket.toString()));
        try (TestDaemon daemon = TestDaemon.start(socket, new ProcessBuilder(command))) {
            try (BlockingEscrow escrow = daemon.connect()) {
                escrow.add(1, 0, new byte[1]);
            }
            for (String signal : new String[] {"USR1", "USR2", "HUP"}) {
                daemon.signal(signal);
                daemon.signal(signal);
            }
            daemon.nextLine(line -> line.endsWith("WARN  signal ignored: nothing to reload signal=\"HUP\""), "SIGHUP");
            assertEquals(Set.of(0), daemon.used(1));
            assertTrue(
                    daemon.lines().stream().noneMatch(line -> line.contains("USR")),
                    () -> daemon.lines().toString());
            daemon.terminate();
            assertEquals(128 + 15, daemon.awaitExit());
        }
    }
}
