package io.escrow.ctl;

import picocli.CommandLine.Option;

/** Base of the commands whose answers are JSON. */
abstract class ViewCommand extends OperatorCommand {

    @Option(names = "--json", description = "print the JSON that escrowd sends, one object on each line")
    private boolean json;

    final boolean json() {
        return json;
    }
}
