package io.escrow.daemon.main;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;

class ManualPageTest {

    @Command(name = "tool", description = "Does 'it' with \\ and -x.", exitCodeList = " 0:-done")
    @SuppressWarnings("UnusedVariable") // picocli reads them
    private static final class Tool {
        @Option(
                names = {"-n", "--number"},
                paramLabel = "N",
                description = ".first; default: ${DEFAULT-VALUE}")
        private int number = 7;

        @Option(names = "--secret", hidden = true)
        private boolean secret;
    }

    private static List<String> page(Object command) {
        return new ManualPage(new CommandLine(command), "1.0", "2026-01-02", "other")
                .text()
                .lines()
                .toList();
    }

    @Test
    void writesPage() {
        assertEquals(
                List.of(
                        ".TH TOOL 1 \"2026-01-02\" \"escrow 1.0\" \"Manual of escrow\"",
                        ".SH NAME",
                        "tool \\- does \\(aqit\\(aq with \\e and \\-x",
                        ".SH SYNOPSIS",
                        "\\fBtool\\fR [\\-n=N]",
                        ".SH OPTIONS",
                        ".TP",
                        "\\fB\\-n\\fR, \\fB\\-\\-number\\fR=\\fIN\\fR",
                        "\\&.first; default: 7"),
                page(new Tool()).subList(0, 9));
    }

    @Test
    void tellsExitStatus() {
        List<String> page = page(new Tool());

        int section = page.indexOf(".SH EXIT STATUS");
        assertEquals(List.of(".TP", "\\fB0\\fR", "\\-done"), page.subList(section + 1, section + 4));
    }

    @Test
    void namesEveryOptionAndEveryCommand() {
        String escrowd = new ManualPage(Manual.escrowd(), "1", "2026-01-02", "escrowctl").text();
        String escrowctl = new ManualPage(Manual.escrowctl(), "1", "2026-01-02", "escrowd").text();

        for (OptionSpec option : Manual.escrowd().getCommandSpec().options()) {
            Stream.of(option.names())
                    .forEach(name -> assertTrue(
                            escrowd.contains("\\fB" + name.replace("-", "\\-") + "\\fR"),
                            () -> name + " in " + escrowd));
        }
        for (String command : Manual.escrowctl().getSubcommands().keySet()) {
            assertTrue(escrowctl.contains("\n.SS " + command + "\n\\fBescrowctl\\fR " + command), escrowctl);
        }
    }
}
