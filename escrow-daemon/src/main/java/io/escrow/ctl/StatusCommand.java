package io.escrow.ctl;

import io.escrow.EscrowException;
import io.escrow.control.Json;
import io.escrow.control.StatusView;
import java.util.List;
import picocli.CommandLine.Command;

/** Prints how the daemon is. */
@Command(
        name = "status",
        customSynopsis = "escrowd ctl status [--json] [PATH]",
        description = "Tells whose session is on, who waits, what is held, and what has happened since the start.")
final class StatusCommand extends ViewCommand {

    @Override
    int run(ControlClient client, List<String> numbers) throws EscrowException {
        expect(numbers, "none", 0, 0);
        String answer = client.get("/status");
        if (json()) {
            out().print(answer);
        } else {
            print(StatusText.of(Json.read(answer, StatusView.class)));
        }
        return 0;
    }
}
