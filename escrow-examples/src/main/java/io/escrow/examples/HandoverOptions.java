package io.escrow.examples;

import io.escrow.client.DaemonLaunch;
import io.escrow.client.EscrowClient;
import io.escrow.client.EscrowClientBuilder;
import java.net.InetSocketAddress;
import java.time.Duration;
import picocli.CommandLine.Option;

/** The options of the servers that are handed over. */
final class HandoverOptions {

    @Option(
            names = "--escrow",
            paramLabel = "PATH",
            required = true,
            description = "path of the escrow's socket; a daemon is started if none is running")
    private String escrow;

    @Option(
            names = "--no-create",
            description = "start no daemon: in a control group or container, a daemon would end with the server")
    private boolean noCreate;

    @Option(
            names = "--port",
            paramLabel = "PORT",
            description = "port to listen on, 0 for any; default: ${DEFAULT-VALUE}")
    private int port = 8080;

    @Option(
            names = "--crash-safe",
            description = "put each connection into the escrow when it is accepted, so that it survives SIGKILL")
    private boolean crashSafe;

    @Option(
            names = "--drain",
            paramLabel = "SECONDS",
            description = "how long connections that cannot be moved may continue; default: ${DEFAULT-VALUE}")
    private int drain = 10;

    EscrowClientBuilder escrow() {
        EscrowClientBuilder client = EscrowClient.builder().path(escrow);
        return noCreate ? client : client.launch(DaemonLaunch.onDemand().replaceDeadSocket(true));
    }

    InetSocketAddress address() {
        return new InetSocketAddress(port);
    }

    boolean crashSafe() {
        return crashSafe;
    }

    Duration drain() {
        return Duration.ofSeconds(drain);
    }
}
