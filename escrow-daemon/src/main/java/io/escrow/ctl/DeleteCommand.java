package io.escrow.ctl;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.control.Json;
import io.escrow.control.SlotDetails;
import io.escrow.control.SlotView;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Empties a slot after a question. */
@Command(
        name = "del",
        customSynopsis = "escrowd ctl del [--yes] [--filling N] [--json] [PATH] TAG INDEX",
        description = {
            "Empties a slot and closes its descriptor, after a question. If the slot was filled anew since the question,"
                    + " nothing happens.",
            "If no other process has a connection open, its peer sees the connection end."
        })
final class DeleteCommand extends ViewCommand {

    @Option(
            names = {"-y", "--yes"},
            description = "do not ask")
    private boolean yes;

    @Option(
            names = "--filling",
            paramLabel = "N",
            description = "only if the slot still holds this filling, as ls --json and show print it")
    private Long filling;

    @Override
    int run(ControlClient client, List<String> numbers) throws EscrowException {
        expect(numbers, "TAG INDEX", 2, 2);
        String what = "/slots/" + numbers.get(0) + "/" + numbers.get(1);
        Long meant = filling;
        if (!yes) {
            SlotView slot = Json.read(client.get(what), SlotDetails.class).slot();
            if (!confirmed(slot)) {
                return DECLINED;
            }
            // What was shown, and not what may have come into the slot since.
            meant = meant == null ? Long.valueOf(slot.filling()) : meant;
        }
        String answer = client.delete(meant == null ? what : what + "?filling=" + meant);
        if (json()) {
            out().print(answer);
        }
        return 0;
    }

    private boolean confirmed(SlotView slot) throws EscrowException {
        System.err.print(Text.printable("close slot " + slot.tag() + "/" + slot.index() + ", " + slot.kind()
                + (slot.local() == null ? "" : " " + slot.local())
                + (slot.peer() == null ? "" : " with " + slot.peer()) + ", " + Text.number(slot.payloadBytes())
                + " bytes of payload? [y/N] "));
        System.err.flush();
        try {
            String answer = new BufferedReader(new InputStreamReader(System.in, UTF_8)).readLine();
            return answer != null && List.of("y", "yes").contains(answer.trim().toLowerCase(Locale.ROOT));
        } catch (IOException e) {
            throw new EscrowException(Status.EPROTO, "the answer can't be read: " + e.getMessage(), e);
        }
    }
}
