package io.escrow.ctl;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.control.Json;
import io.escrow.control.UpgradeView;
import java.net.URISyntaxException;
import java.net.URLEncoder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Puts another version of escrowd in the place of the one that serves. */
@Command(
        name = "upgrade",
        customSynopsis = "escrowd ctl upgrade [--jar FILE] [--json] [PATH]",
        description = {
            "Starts a new escrowd that takes the place of the one that serves, with its options, its slots, its sockets and its"
                    + " session. Clients notice a pause. Returns when the one before has ended.",
            "If anything fails, the one that serves goes on, and the exit status is 1. Only its user and root may do this."
        })
final class UpgradeCommand extends ViewCommand {

    @Option(
            names = "--jar",
            paramLabel = "FILE",
            description = "the jar of the new escrowd; default: the one that this command runs from")
    private Path jar;

    @Override
    int run(ControlClient client, List<String> numbers) throws EscrowException {
        expect(numbers, "none", 0, 0);
        Path file = jar == null ? own() : jar.toAbsolutePath().normalize();
        String what = "/upgrade" + (file == null ? "" : "?jar=" + URLEncoder.encode(file.toString(), UTF_8));
        String answer = client.upgrade(what);
        if (json()) {
            out().print(answer);
        } else {
            UpgradeView view = Json.read(answer, UpgradeView.class);
            out().println("escrowd " + Text.printable(view.version()) + ", process " + view.pid()
                    + ", serves in place of process " + view.before());
        }
        return 0;
    }

    /** Returns the jar that this command runs from; {@code null} if it does not run from a jar. */
    private static Path own() throws EscrowException {
        try {
            Path place = Path.of(UpgradeCommand.class
                    .getProtectionDomain()
                    .getCodeSource()
                    .getLocation()
                    .toURI());
            return Files.isRegularFile(place) ? place : null;
        } catch (URISyntaxException e) {
            throw new EscrowException(Status.EINVAL, "the jar of this command is not known: name it with --jar", e);
        }
    }
}
