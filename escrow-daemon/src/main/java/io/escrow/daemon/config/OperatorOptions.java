package io.escrow.daemon.config;

import java.net.InetSocketAddress;

/**
 * Says how operators may look into a daemon.
 *
 * @param connections how many operators may be connected to the control socket at once; the port of the metrics has places of its
 *     own
 * @param metrics where metrics are served over HTTP; {@code null} for nowhere but on the control socket
 */
public record OperatorOptions(int connections, InetSocketAddress metrics) {

    /** What the daemon's reserve of descriptors has room for. */
    private static final int MAX_CONNECTIONS = 24;

    /** What counts unless told otherwise. */
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
