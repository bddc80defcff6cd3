package io.escrow.ctl;

import io.escrow.EscrowException;
import io.escrow.control.Json;
import io.escrow.control.SlotDetails;
import io.escrow.control.SlotView;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.util.Base64;
import java.util.List;
import picocli.CommandLine.Command;

/** Prints a slot in detail. */
@Command(
        name = "show",
        customSynopsis = "escrowd ctl show [--json] [PATH] TAG INDEX",
        description = "Prints a slot in detail, with its payload and its farewell as hex and text.")
final class ShowCommand extends ViewCommand {

    @Override
    int run(ControlClient client, List<String> numbers) throws EscrowException {
        expect(numbers, "TAG INDEX", 2, 2);
        String answer = client.get("/slots/" + numbers.get(0) + "/" + numbers.get(1));
        if (json()) {
            out().print(answer);
        } else {
            print(Json.read(answer, SlotDetails.class));
        }
        return 0;
    }

    private void print(SlotDetails details) {
        SlotView slot = details.slot();
        line("slot", slot.tag() + "/" + slot.index());
        line("kind", slot.kind());
        line("local", slot.local());
        line("peer", slot.peer());
        line("state", slot.state());
        line("unread", slot.unread());
        line("unsent", slot.unsent());
        details.descriptor().forEach(this::line);
        line(
                "stored",
                Text.duration(slot.ageSeconds()) + " ago by " + StatusText.process(slot.pid(), null) + ", user "
                        + Integer.toUnsignedString(slot.uid()));
        line("filling", slot.filling());
        line("number there", details.number() < 0 ? null : details.number());
        line("keeps flags", details.keepFlags() ? "yes" : null);
        line("listener", slot.listener());
        line("origin", slot.origin());
        if (details.sections() != null) {
            details.sections().forEach((name, size) -> line("section", name + ", " + Text.number(size) + " bytes"));
        }
        dump("payload", details.payload());
        dump("farewell", details.farewell());
    }

    private void line(String name, Object value) {
        if (value != null) {
            out().printf("%-15s %s%n", name, Text.printable(value.toString()));
        }
    }

    private void dump(String name, String base64) {
        byte[] bytes = Base64.getDecoder().decode(base64);
        line(name, Text.number(bytes.length) + " bytes");
        if (bytes.length > 0) {
            out().println(ByteBufUtil.prettyHexDump(Unpooled.wrappedBuffer(bytes)));
        }
    }
}
