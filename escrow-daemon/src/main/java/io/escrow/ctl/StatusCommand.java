package io.escrow.ctl;

import io.escrow.EscrowException;
import io.escrow.control.Json;
import io.escrow.control.StatusView;
import java.util.List;
import picocli.CommandLine.Command;

/** Prints the status of the daemon. */
@Command(
        name = "status",
        customSynopsis = "escrowd ctl status [--json] [PATH]",
        description =
                "Prints the current session, the number of waiting clients, what is held, and the counters since the start.")
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
