package io.escrow.examples.bench;

import picocli.CommandLine.Option;

/** The options of the benchmarks that fill slots. */
final class SlotOptions {

    @Option(names = "--slots", paramLabel = "N", description = "number of slots to fill; default: ${DEFAULT-VALUE}")
    private int slots = 15_000;

    @Option(
            names = "--payload",
            paramLabel = "BYTES",
            description = "length of the payload of each slot; default: ${DEFAULT-VALUE}")
    private int payload;

    @Option(names = "--rounds", paramLabel = "N", description = "number of rounds; default: ${DEFAULT-VALUE}")
    private int rounds;

    /** Makes the options with the defaults of a benchmark. */
    SlotOptions(int payload, int rounds) {
        this.payload = payload;
        this.rounds = rounds;
    }

    int slots() {
        return slots;
    }

    int payload() {
        return payload;
    }

    int rounds() {
        return rounds;
    }
}
