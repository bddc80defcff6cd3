package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.testing.TestProcess;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Runs the library with a Java runtime that has no flight recorder, and with one that has. */
class FlightRecorderIT {

    @ParameterizedTest
    @CsvSource({"java.base, false", "'java.base,jdk.jfr', true"})
    void itNeedNotBeThere(String modules, boolean there) throws Exception {
        List<String> command = new ArrayList<>(TestProcess.java("--limit-modules", modules));
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), PhaseProgram.class.getName()));
        try (TestProcess process = new TestProcess(new ProcessBuilder(command))) {
            assertEquals(0, process.awaitExit(), () -> process.lines().toString());
            assertEquals(List.of("flight recorder: " + there), process.lines());
        }
    }
}
