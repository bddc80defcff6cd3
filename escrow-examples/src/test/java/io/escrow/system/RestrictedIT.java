package io.escrow.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.codec.Wire;
import io.escrow.testing.JarProcess;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(180)
class RestrictedIT {

    private static final String SECRET = "the combination is 4-8-15-16-23-42";

    @TempDir
    private Path directory;

    /** Root, as in many containers, becomes another user for it; everybody else stays who he is. */
    @Test
    void readsWhatItMayNotOpen() throws Exception {
        boolean root = (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0;
        try (JarProcess example = JarProcess.start("restricted")) {
            assertEquals(0, example.awaitExit(), () -> example.lines().toString());
            List<String> output = example.lines();
            String user = output.get(0).replaceAll(".*, user (\\d+): escrowd", "$1");
            String other = root ? "65534" : user;
            assertEquals(root, user.equals("0"), output.toString());
            assertTrue(output.get(1).matches(".*, user " + user + ": Parked .*/secret"), output.toString());
            assertEquals(!root, output.get(2).startsWith("Not root, so both processes run as user " + user + ":"));
            int last = output.size() - 1;
            assertTrue(output.get(last - 1).matches(".*, user " + other + ": Not allowed to open .*/secret"));
            assertTrue(output.get(last).endsWith(", user " + other + ": Read from its descriptor: " + SECRET));
        }
    }

    /** By hand, and with a daemon of one's own. */
    @Test
    void parkedOnceIsUsedOnce() throws Exception {
        assumeTrue(Wire.keepsFlags(), "standard input is a device here, which takes io_uring");
        Path socket = directory.resolve("s");
        try (JarProcess daemon = JarProcess.escrowd(socket)) {
            try (JarProcess park = JarProcess.start("restricted", "park", socket.toString())) {
                assertEquals(0, park.awaitExit(), () -> park.lines().toString());
                assertEquals(List.of("Parked /dev/null"), park.lines());
            }
            try (JarProcess use = JarProcess.start("restricted", "use", socket.toString())) {
                assertEquals(0, use.awaitExit(), () -> use.lines().toString());
                assertEquals(
                        List.of("Allowed to open /dev/null, too (0 bytes)", "Read from its descriptor:"), use.lines());
            }
            try (JarProcess use = JarProcess.start("restricted", "use", socket.toString())) {
                assertEquals(1, use.awaitExit(), () -> use.lines().toString());
                assertEquals(List.of("use: ENOENT: Non-existent index in a GET request: 0/0"), use.lines());
            }
            assertEquals(List.of(), daemon.descendants());
        }
    }
}
