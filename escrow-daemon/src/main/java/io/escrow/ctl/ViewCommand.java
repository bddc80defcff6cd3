package io.escrow.ctl;

import picocli.CommandLine.Option;

/** What the commands have in common whose answers are JSON. */
abstract class ViewCommand extends OperatorCommand {

    @Option(names = "--json", description = "print JSON, one object a line, as escrowd sends it")
    private boolean json;

    final boolean json() {
        return json;
    }
}
