package io.escrow.ctl;

import io.escrow.EscrowException;
import io.escrow.control.Json;
import io.escrow.control.SessionView;
import java.util.List;
import picocli.CommandLine.Command;

/** Ends the session that is on. */
@Command(
        name = "evict",
        customSynopsis = "escrowd ctl evict [--json] [PATH]",
        description = {
            "Ends the session that is on, so that the next client in the queue is served.",
            "Its slots stay. The client itself is not ended: one that hangs should be killed, which ends its session, too."
                    + " One that does not hang goes on with its connections, and so does the next, which takes over the"
                    + " same ones: whoever of both is not wanted must be ended at once. It connects again and waits."
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
            out().println("ended the session of " + StatusText.who(session.pid(), session.program()) + " after "
                    + Text.duration(session.seconds()));
        }
        return 0;
    }
}
