package io.escrow.examples.bench;

import picocli.CommandLine.Command;

/** The command line of the benchmarks: each benchmark is a subcommand. */
@Command(
        name = "bench",
        description = "Measures the daemon, or a server that is handed over or killed.",
        subcommands = {
            BenchStore.class,
            BenchHandover.class,
            BenchAccept.class,
            BenchRequests.class,
            BenchSoak.class,
            BenchCtl.class,
            BenchDaemon.class
        })
public final class Bench {}
