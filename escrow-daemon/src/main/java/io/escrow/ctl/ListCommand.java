package io.escrow.ctl;

import io.escrow.EscrowException;
import io.escrow.control.Json;
import io.escrow.control.SlotView;
import java.util.List;
import picocli.CommandLine.Command;

/** Prints a line for each slot. */
@Command(
        name = "ls",
        customSynopsis = "escrowd ctl ls [--json] [PATH] [TAG]",
        description = {
            "Lists the slots of one tag, or all slots.",
            "UNREAD are bytes that the kernel has received and no process has read; for a listener, connections that wait"
                    + " to be accepted. UNSENT are bytes that the peer has not acknowledged. For UDP both are the memory"
                    + " that the bytes take."
        })
final class ListCommand extends ViewCommand {

    @Override
    int run(ControlClient client, List<String> numbers) throws EscrowException {
        expect(numbers, "[TAG]", 0, 1);
        String what = numbers.isEmpty() ? "/slots" : "/slots?tag=" + numbers.get(0);
        if (json()) {
            client.lines(what, out()::println);
            return 0;
        }
        Table table = new Table(
                "TAG",
                "INDEX",
                "KIND",
                "LOCAL",
                "PEER",
                "STATE",
                "UNREAD",
                "UNSENT",
                "PAYLOAD",
                "AGE",
                "STORED BY",
                "LISTENER",
                "ORIGIN");
        client.lines(what, line -> add(table, Json.read(line, SlotView.class)));
        print(table.lines());
        return 0;
    }

    /** Adds a slot to a table with these columns. */
    private static void add(Table table, SlotView slot) {
        table.add(
                slot.tag(),
                slot.index(),
                slot.kind(),
                slot.local(),
                slot.peer(),
                slot.state(),
                slot.unread(),
                slot.unsent(),
                slot.payloadBytes(),
                Text.duration(slot.ageSeconds()),
                slot.pid(),
                slot.listener(),
                slot.origin());
    }
}
