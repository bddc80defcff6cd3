package io.escrow.examples;

import io.escrow.examples.bench.Bench;
import io.netty.channel.epoll.Epoll;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The command line of the examples: each example is a subcommand. */
@Command(
        name = "escrow-examples",
        description = "Servers that keep their connections when they are restarted, and benchmarks.",
        subcommands = {
            EchoServer.class,
            EchoClient.class,
            HttpServer.class,
            ChatServer.class,
            UdpEcho.class,
            Restricted.class,
            Demo.class,
            Bench.class
        },
        usageHelpAutoWidth = true,
        exitCodeListHeading = "Exit status:%n",
        exitCodeList = {" 0:success", " 1:failure; a line on stderr gives the reason", " 2:bad usage"})
public final class Examples {

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            scope = CommandLine.ScopeType.INHERIT,
            description = "print this and exit")
    @SuppressWarnings("UnusedVariable") // picocli reads it
    private boolean help;

    private Examples() {}

    /**
     * Runs an example.
     *
     * @param args the name of the example and its arguments; {@code --help} describes them
     */
    public static void main(String[] args) {
        if (!Epoll.isAvailable()) {
            System.err.println("escrow-examples: Linux on x86_64 or aarch64 is needed: "
                    + Epoll.unavailabilityCause().getMessage());
            System.exit(CommandLine.ExitCode.SOFTWARE);
        }
        System.exit(new CommandLine(new Examples())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setParameterExceptionHandler((e, given) ->
                        printError(e.getCommandLine(), e.getMessage() + " (see --help)", CommandLine.ExitCode.USAGE))
                .setExecutionExceptionHandler(
                        (e, line, result) -> printError(line, message(e), CommandLine.ExitCode.SOFTWARE))
                .execute(args));
    }

    private static int printError(CommandLine line, String text, int exitCode) {
        System.err.println(line.getCommandName() + ": " + text);
        return exitCode;
    }

    private static String message(Exception e) {
        Throwable cause = e instanceof ExecutionException || e instanceof CompletionException ? e.getCause() : e;
        return cause.getMessage() == null ? cause.toString() : cause.getMessage();
    }
}
