package io.escrow.ctl;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The command {@code escrowd ctl}, which has all commands for operators. */
@Command(
        name = "ctl",
        description = "Inspects and controls a running escrowd.",
        subcommands = {
            StatusCommand.class,
            ListCommand.class,
            ShowCommand.class,
            EvictCommand.class,
            UpgradeCommand.class,
            DeleteCommand.class,
            WatchCommand.class,
            MetricsCommand.class
        },
        synopsisSubcommandLabel = "COMMAND",
        usageHelpAutoWidth = true,
        footer = {
            "",
            "PATH is the path of escrowd's socket, as clients use it; the default is ESCROW_PATH in the environment."
                    + " An argument of digits only is never a PATH: write ./5 for the path 5."
        })
public final class Ctl {

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            scope = CommandLine.ScopeType.INHERIT,
            description = "print this and exit")
    @SuppressWarnings("UnusedVariable") // set and read by picocli
    private boolean help;
}
