package io.escrow.ctl;

import io.escrow.EscrowException;
import io.escrow.control.Json;
import io.escrow.control.SessionView;
import java.util.List;
import picocli.CommandLine.Command;

/** Ends the current session. */
@Command(
        name = "evict",
        customSynopsis = "escrowd ctl evict [--json] [PATH]",
        description = {
            "Ends the current session, so that the next client in the queue is served.",
            "Its slots stay, and the client goes on running. If the client hangs, kill it instead: that ends its session, too."
                    + " A client that does not hang keeps using its connections, while the next client takes over the"
                    + " same ones: stop one of the two at once. The evicted client connects again and waits."
        })
final class EvictCommand extends ViewCommand {

    @Override
    int run(ControlClient client, List<String> numbers) throws EscrowException {
        expect(numbers, "none", 0, 0);
        String answer = client.delete("/session");
        if (json()) {
            out().print(answer);
        } else {
            SessionView session = Json.read(answer, SessionView.class);
            out().println("ended the session of " + StatusText.process(session.pid(), session.program()) + " after "
                    + Text.duration(session.seconds()));
            out().println("that process runs on: end it before another server serves the same connections");
        }
        return 0;
    }
}
