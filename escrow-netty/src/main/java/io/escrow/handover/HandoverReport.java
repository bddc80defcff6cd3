package io.escrow.handover;

import java.net.SocketAddress;
import java.time.Duration;
import java.util.List;

/**
 * Describes a handover.
 *
 * @param listeners how many listeners and datagram sockets the escrow has now
 * @param connections how many connections were given away: the escrow has them now, or the next process took them in waves
 * @param staying the connections that can't be moved, and are drained here
 * @param resting how long it took until every connection was at rest
 * @param storing how long it took to take them apart and to store them
 */
public record HandoverReport(
        int listeners, int connections, List<Staying> staying, Duration resting, Duration storing) {

    /**
     * Names a connection that can't be moved.
     *
     * @param peer its peer's address; {@code null} when it is not known
     * @param reason why it can't be moved, with the class of the handler if that is on the list, as in {@code TLS
     *     (SslHandler)}
     */
    public record Staying(SocketAddress peer, String reason) {}
}
