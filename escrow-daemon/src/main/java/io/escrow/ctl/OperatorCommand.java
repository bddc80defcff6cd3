package io.escrow.ctl;

import io.escrow.EscrowException;
import io.escrow.SocketPath;
import io.escrow.Status;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Base of the operators' commands: the daemon's path, and the exit status. */
@Command(
        usageHelpAutoWidth = true,
        exitCodeListHeading = "Exit status:%n",
        exitCodeList = {
            " 0:done",
            " 1:escrowd refused, for example because the slot is empty",
            " 2:bad usage",
            " 3:no escrowd answers at PATH, or escrowd ended",
            " 4:no access",
            " 5:nothing done, because the answer to the question was not yes"
        })
public abstract class OperatorCommand implements Callable<Integer> {

    private static final int REFUSED = 1;
    private static final int UNREACHABLE = 3;
    private static final int NOT_LET_IN = 4;
    static final int DECLINED = 5;

    @Spec
    private CommandSpec spec;

    @Parameters(arity = "0..*", paramLabel = "PATH", hidden = true)
    private List<String> arguments = new ArrayList<>();

    OperatorCommand() {}

    @Override
    public final Integer call() throws EscrowException {
        boolean pathGiven = !arguments.isEmpty() && !arguments.get(0).matches("\\d+");
        if (!pathGiven && System.getenv(SocketPath.ENVIRONMENT) == null) {
            throw new CommandLine.ParameterException(
                    spec.commandLine(),
                    "no path of a socket: give one, or set " + SocketPath.ENVIRONMENT + " in the environment");
        }
        Path path = check(pathGiven ? arguments.get(0) : null);
        List<String> numbers = arguments.subList(pathGiven ? 1 : 0, arguments.size());
        try (ControlClient client = new ControlClient(path)) {
            return run(client, numbers);
        } finally {
            out().flush();
        }
    }

    private static Path check(String path) throws EscrowException {
        try {
            return SocketPath.check(path);
        } catch (EscrowException e) {
            // Whatever is wrong with the path: no escrowd answers there.
            throw new EscrowException(Status.ECONNREFUSED, e.text(), e);
        }
    }

    /**
     * Runs the command.
     *
     * @param numbers the arguments after the path
     */
    abstract int run(ControlClient client, List<String> numbers) throws EscrowException;

    /**
     * Returns the exit status for a failure.
     *
     * @param failure what was thrown
     * @return 1, 3 or 4, as {@code --help} explains them
     */
    public static int exitStatus(Exception failure) {
        if (!(failure instanceof EscrowException e)) {
            return REFUSED;
        }
        return switch (e.status()) {
            case ECONNREFUSED, ECONNRESET -> UNREACHABLE;
            case EACCES -> NOT_LET_IN;
            default -> REFUSED;
        };
    }

    final PrintWriter out() {
        return spec.commandLine().getOut();
    }

    final void print(List<String> lines) {
        lines.forEach(out()::println);
    }

    /** Checks the number of arguments, and that they are numbers. */
    final void expect(List<String> numbers, String names, int least, int most) {
        if (numbers.size() < least || numbers.size() > most) {
            throw new CommandLine.ParameterException(
                    spec.commandLine(), "arguments after PATH: " + numbers.size() + " (expected: " + names + ")");
        }
        for (String number : numbers) {
            if (!number.matches("\\d+")) {
                throw new CommandLine.ParameterException(
                        spec.commandLine(), "'" + number + "' is not a number (expected: " + names + ")");
            }
        }
    }
}
