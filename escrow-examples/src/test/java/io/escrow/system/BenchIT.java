package io.escrow.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.JarProcess;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The benchmarks, as short as they can be. */
@Timeout(180)
class BenchIT {

    @Test
    void benchMeasures() throws Exception {
        List<String> output =
                JarProcess.run(0, "bench", "store", "--slots=100", "--payload=10", "--rounds=1", "--waiting=3000");
        assertTrue(output.stream().anyMatch(line -> line.startsWith("bulk call ")), output.toString());
        assertTrue(output.stream().anyMatch(line -> line.startsWith("3,000 gets, one call each")), output.toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"client", "server"})
    void benchMeasuresShortConnections(String closer) throws Exception {
        List<String> output = JarProcess.run(
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
    void benchMeasuresHandoversOfTls(@TempDir Path directory) throws Exception {
        Path picture = directory.resolve("pauses.svg");
        List<String> output = JarProcess.run(
                0,
                "bench",
                "handover",
                "--tls",
                "--wait=100",
                "--rounds=2",
                "--connections=20",
                "--talking=10",
                "--svg=" + picture);
        for (String row : List.of("first", "1", "median", "tls 1", "tls 2", "tls median")) {
            assertTrue(output.stream().anyMatch(line -> line.matches(row + "( +[\\d,]+){11}")), row + output);
        }
        assertTrue(
                output.stream().anyMatch(line -> line.matches("TLS beside plaintext: p99 \\d+\\.\\d\\d times, .*")),
                output.toString());
        assertTrue(Files.size(picture) > 0);
    }

    @Test
    void benchMeasuresProcessesThatHandOverToEachOther(@TempDir Path directory) throws Exception {
        Path picture = directory.resolve("pauses.svg");
        List<String> output = JarProcess.run(
                0,
                "bench",
                "handover",
                "--after=1",
                "--wait=100",
                "--closed-loop",
                "--rounds=2",
                "--connections=20",
                "--talking=10",
                "--svg=" + picture);
        assertTrue(
                output.contains("in waves, after 1: two processes have handed over to each other 1 times before"),
                output.toString());
        for (String row : List.of("1", "2", "median")) {
            assertTrue(output.stream().anyMatch(line -> line.matches(row + "( +[\\d,]+){11}")), row + output);
        }
        // Something was waited for: a handover takes more than a millisecond.
        assertTrue(output.stream().anyMatch(line -> line.matches("median( +\\d+){2} +[1-9].*")), output.toString());
        assertTrue(output.stream().anyMatch(line -> line.startsWith("0 connections lost")), output.toString());
        assertEquals(10, Files.readString(picture).split("steelblue", -1).length - 1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "--tls"})
    void benchMeasuresRequests(String tls) throws Exception {
        List<String> arguments = new ArrayList<>(List.of(
                "bench",
                "requests",
                "--rounds=1",
                "--time=200",
                "--warm-up=200",
                "--connections=10",
                "--protocol=WEBSOCKET"));
        if (!tls.isEmpty()) {
            arguments.add(tls);
        }
        List<String> output = JarProcess.run(0, arguments.toArray(String[]::new));
        assertTrue(
                output.stream()
                        .anyMatch(line ->
                                line.matches("websocket +median +[1-9][\\d,]* +[1-9][\\d,]* +\\d+\\.\\d{3} .*")),
                output.toString());
    }

    @Test
    void soakTellsThatNothingGrows() throws Exception {
        List<String> output =
                JarProcess.run(0, "bench", "soak", "--minutes=0", "--interval=1", "--connections=10", "--coming=5");
        assertTrue(output.contains("20 of 20 connections kept"), output.toString());
        assertEquals(
                4,
                output.stream()
                        .filter(line -> line.matches(".*, descriptors .* steady"))
                        .count(),
                output.toString());
    }
}
