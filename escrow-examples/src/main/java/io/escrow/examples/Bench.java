package io.escrow.examples;

import picocli.CommandLine.Command;

/** Gathers the benchmarks. */
@Command(
        name = "bench",
        description = "Measures.",
        subcommands = {
            BenchStore.class,
            BenchHandover.class,
            BenchAccept.class,
            BenchSoak.class,
            BenchCtl.class,
            BenchDaemon.class
        })
final class Bench {}
