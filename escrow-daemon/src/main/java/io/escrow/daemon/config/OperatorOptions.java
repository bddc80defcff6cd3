package io.escrow.daemon.config;

import java.net.InetSocketAddress;

/**
 * Configures how operators can reach a daemon.
 *
 * @param connections how many operators may be connected to the control socket at once; connections to the metrics port
 *     are counted separately
 * @param metrics the address on which metrics are served over HTTP; {@code null} to serve them on the control socket
 *     only
 */
public record OperatorOptions(int connections, InetSocketAddress metrics) {

    /** The daemon's reserve of descriptors has room for this many. */
    private static final int MAX_CONNECTIONS = 24;

    /** 16 connections, and no port for metrics. */
    public static final OperatorOptions DEFAULT = new OperatorOptions(16, null);

    /**
     * Checks the number of connections; an {@link IllegalArgumentException} names the value when it is out of range.
     *
     * @param connections 1 to 24
     * @param metrics an address of this machine, port 0 for any, or {@code null}
     */
    public OperatorOptions {
        if (connections < 1 || connections > MAX_CONNECTIONS) {
            throw new IllegalArgumentException(
                    "connections of operators: " + connections + " (expected: 1.." + MAX_CONNECTIONS + ")");
        }
    }
}
