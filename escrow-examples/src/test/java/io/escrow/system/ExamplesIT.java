package io.escrow.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.JarProcess;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(180)
class ExamplesIT {

    @Test
    void demoKeepsAllConnections() throws Exception {
        List<String> output = JarProcess.run(0, "demo");
        assertTrue(output.stream().anyMatch(line -> line.matches("connections kept +200 of 200")), output.toString());
        assertTrue(output.stream().anyMatch(line -> line.matches("wrong bytes +0")), output.toString());
    }

    @Test
    void demoEndsWhatItHasStarted() throws Exception {
        try (JarProcess demo = JarProcess.start("demo", "--clients=2")) {
            demo.nextWith("killed the server, 1 of 3");
            demo.nextWith("served again");
            List<ProcessHandle> children = demo.descendants();
            assertEquals(2, children.size());
            demo.terminate();
            demo.awaitExit();
            for (ProcessHandle child : children) {
                child.onExit().join();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "nonsense", "demo nonsense", "echo-server", "echo-client --port=x", "bench"})
    void badUsageIsOneLine(String arguments) throws Exception {
        List<String> output = JarProcess.run(2, arguments.isEmpty() ? new String[0] : arguments.split(" "));
        assertEquals(1, output.size(), output.toString());
        assertTrue(output.get(0).endsWith(" (see --help)"), output.toString());
    }

    @Test
    void clientWithoutServerTellsWhy() throws Exception {
        List<String> output = JarProcess.run(1, "echo-client", "--port=1");
        assertEquals(1, output.size(), output.toString());
        assertTrue(
                output.get(0).startsWith("echo-client: no connection to the server at 127.0.0.1:1: "),
                output.toString());
    }
}
