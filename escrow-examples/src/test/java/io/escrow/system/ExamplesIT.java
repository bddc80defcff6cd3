package io.escrow.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(180)
class ExamplesIT {

    @Test
    void demoKeepsAllConnections() throws Exception {
        List<String> output = run(0, "demo");
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

    @Test
    void benchMeasures() throws Exception {
        List<String> output = run(0, "bench", "store", "--slots=100", "--payload=10", "--rounds=1");
        assertTrue(output.stream().anyMatch(line -> line.startsWith("bulk call ")), output.toString());
        assertTrue(output.stream().anyMatch(line -> line.startsWith("300,000 gets, one call each")), output.toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"client", "server"})
    void benchMeasuresShortConnections(String closer) throws Exception {
        List<String> output = run(
                0,
                "bench",
                "accept",
                "--rounds=2",
                "--time=200",
                "--warm-up=200",
                "--connections=10",
                "--closed-by=" + closer);
        for (String row : List.of("1 ", "2 ", "median ")) {
            assertTrue(
                    output.stream()
                            .anyMatch(line -> line.matches(row + " +[1-9][\\d,]* +[1-9][\\d,]* +\\d\\.\\d{3} .*")),
                    output.toString());
        }
    }

    @Test
    void soakTellsThatNothingGrows() throws Exception {
        List<String> output = run(0, "bench", "soak", "--minutes=0", "--interval=1", "--connections=10", "--coming=5");
        assertTrue(output.contains("20 of 20 connections kept"), output.toString());
        assertEquals(
                4,
                output.stream()
                        .filter(line -> line.matches(".*, descriptors .* steady"))
                        .count(),
                output.toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "nonsense", "demo nonsense", "echo-server", "echo-client --port=x", "bench"})
    void badUsageIsOneLine(String arguments) throws Exception {
        List<String> output = run(2, arguments.isEmpty() ? new String[0] : arguments.split(" "));
        assertEquals(1, output.size(), output.toString());
        assertTrue(output.get(0).endsWith(" (see --help)"), output.toString());
    }

    @Test
    void clientWithoutServerTellsWhy() throws Exception {
        List<String> output = run(1, "echo-client", "--port=1");
        assertEquals(1, output.size(), output.toString());
        assertTrue(
                output.get(0).startsWith("echo-client: no connection to the server at 127.0.0.1:1: "),
                output.toString());
    }

    private static List<String> run(int exitCode, String... arguments) throws IOException, InterruptedException {
        try (JarProcess example = JarProcess.start(arguments)) {
            int actual = example.awaitExit();
            assertEquals(exitCode, actual, () -> example.lines().toString());
            return example.lines();
        }
    }
}
