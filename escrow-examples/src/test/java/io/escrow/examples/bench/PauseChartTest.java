package io.escrow.examples.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PauseChartTest {

    @TempDir
    private Path directory;

    private List<String> bars(List<Pause> pauses, long took) throws Exception {
        Path file = directory.resolve("pauses.svg");
        PauseChart.write(file, pauses, took, "a title");
        String svg = Files.readString(file);
        assertTrue(svg.contains(">a title</text>") && svg.contains(">SIGTERM</text>"), svg);
        return Pattern.compile(
                        "x=\"([\\d.]+)\" y=\"[\\d.]+\" width=\"([\\d.]+)\" height=\"[\\d.]+\" fill=\"steelblue\"")
                .matcher(svg)
                .results()
                .map((MatchResult bar) -> bar.group(1) + "+" + bar.group(2))
                .toList();
    }

    @Test
    void eachPauseIsABarFromItsBeginningToItsEnd() throws Exception {
        // 800 points for 800 ms.
        List<Pause> pauses = List.of(new Pause(700_000, 800_000), new Pause(0, 50_000), new Pause(100_000, 400_000));
        assertEquals(List.of("50.0+50.0", "150.0+300.0", "750.0+100.0"), bars(pauses, 400_000));
    }

    @Test
    void pauseThatBeganBeforeTheHandoverIsLeftOfIt() throws Exception {
        assertEquals(List.of("50.0+200.0"), bars(List.of(new Pause(-100_000, 100_000)), 700_000));
    }

    @Test
    void nothingIsDrawnWithoutPauses() throws Exception {
        assertEquals(List.of(), bars(List.of(), 0));
    }
}
