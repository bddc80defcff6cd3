package io.escrow.ctl;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The commands for operators. */
@Command(
        name = "ctl",
        description = "Looks into a running escrowd, and steers it.",
        subcommands = {
            StatusCommand.class,
            ListCommand.class,
            ShowCommand.class,
            EvictCommand.class,
            DeleteCommand.class,
            WatchCommand.class,
            MetricsCommand.class
        },
        synopsisSubcommandLabel = "COMMAND",
        usageHelpAutoWidth = true,
        footer = {
            "",
            "PATH is that of escrowd's socket, as its clients use it; without one, ESCROW_PATH in the environment is used."
                    + " An argument of digits alone is never a PATH: write ./5 if yours is 5."
        })
public final class Ctl {

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            scope = CommandLine.ScopeType.INHERIT,
            description = "print this and exit")
    @SuppressWarnings("UnusedVariable") // picocli reads it
    private boolean help;
}
