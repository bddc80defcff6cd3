package io.escrow.examples;

import io.escrow.examples.records.RecordClients;
import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Sends records to an echo server for ever, and verifies that they come back. */
@Command(
        name = "echo-client",
        description = "Sends numbered records to echo-server for ever and verifies that they come back. Ends when the"
                + " connection is lost or a byte is wrong, but not when there is a pause.")
final class EchoClient implements Callable<Integer> {

    private static final int REPORT_SECONDS = 1;

    @Option(names = "--host", paramLabel = "HOST", description = "host of the server; default: ${DEFAULT-VALUE}")
    private String host = "127.0.0.1";

    @Option(names = "--port", paramLabel = "PORT", description = "port of the server; default: ${DEFAULT-VALUE}")
    private int port = 8087;

    @Option(names = "--connections", paramLabel = "N", description = "number of connections; default: ${DEFAULT-VALUE}")
    private int connections = 1;

    @Override
    public Integer call() throws IOException, InterruptedException, ExecutionException {
        try (RecordClients clients = new RecordClients()) {
            clients.connect(host, port, connections);
            System.out.println("Connected to " + host + ":" + port);
            long before = 0;
            int silentSeconds = 0;
            while (!ended(clients)) {
                long verified = clients.verified();
                silentSeconds = verified == before ? silentSeconds + REPORT_SECONDS : 0;
                before = verified;
                System.out.printf(
                        "%,d records, %,d bytes verified; %,d were read and not answered, and sent again%s%n",
                        verified,
                        clients.verifiedBytes(),
                        clients.lost(),
                        silentSeconds == 0 ? "" : "; no answer for " + silentSeconds + " s");
            }
            return 0;
        }
    }

    /** Waits until the next report is due. Fails when a client fails. */
    private static boolean ended(RecordClients clients) throws InterruptedException, ExecutionException {
        try {
            clients.failure().get(REPORT_SECONDS, TimeUnit.SECONDS);
            return true;
        } catch (TimeoutException e) {
            return false;
        }
    }
}
