package io.escrow.ctl;

import io.escrow.EscrowException;
import java.util.List;
import picocli.CommandLine.Command;

/** Prints the metrics. */
@Command(
        name = "metrics",
        customSynopsis = "escrowd ctl metrics [PATH]",
        description = "Prints the metrics in the text format of Prometheus.")
final class MetricsCommand extends OperatorCommand {

    @Override
    int run(ControlClient client, List<String> numbers) throws EscrowException {
        expect(numbers, "none", 0, 0);
        client.lines("/metrics", out()::println);
        return 0;
    }
}
