package io.escrow.examples;

import io.escrow.handover.HandoverReport;
import io.escrow.handover.Pauses;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.StartReport;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.CompletionException;
import java.util.concurrent.locks.LockSupport;

/** Hands a server over on SIGTERM, to a process that is already waiting or that is started later. */
final class HandoverOnSigterm {

    private static final Duration DEADLINE = Duration.ofSeconds(30);
    private static final Duration RETRY_INTERVAL = Duration.ofSeconds(1);

    private HandoverOnSigterm() {}

    /** Installs the shutdown hook, and prints what the server took over when it started. */
    static void install(ServerHandover server) {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> end(server), "hand-over"));
        StartReport start = server.startReport();
        System.out.println("Serving port "
                + ((InetSocketAddress) server.listeners().get(0).localAddress()).getPort()
                + " in process " + ProcessHandle.current().pid()
                + ": " + start.adopted() + " connections adopted, "
                + start.foundAfterCrash() + " found after a crash"
                + pauses(start.pauses()));
    }

    private static String pauses(Pauses pauses) {
        return pauses.measured() == 0
                ? ""
                : "; they paused for " + pauses.median().toMillis() + " ms, at most "
                        + pauses.max().toMillis() + " ms";
    }

    /** Hands the server over, and ends the process. If a handover fails, the server continues and tries it again. */
    private static void end(ServerHandover server) {
        while (!handOver(server)) {
            System.err.println("Still serving");
            LockSupport.parkNanos(RETRY_INTERVAL.toNanos());
        }
        // Without this, the process would exit with 143, as any process that ends on SIGTERM.
        Runtime.getRuntime().halt(0);
    }

    private static boolean handOver(ServerHandover server) {
        try {
            HandoverReport report = server.handOver(DEADLINE).join();
            System.out.println("Handed over " + report.connections() + " connections; "
                    + report.staying().size() + " stay until they end");
            server.drained().join();
            return true;
        } catch (CompletionException e) {
            System.err.println("Not handed over: " + e.getCause().getMessage());
            return false;
        }
    }
}
