package io.escrow.daemon.kernel;

import io.netty.channel.Channel;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.unix.PeerCredentials;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Identifies the process at the other end of a connection, as the kernel recorded it when the connection was made.
 *
 * @param pid the process number; 0 if the process is in another container. For logs only: the number may belong to
 *     another process by now
 * @param uid the effective user
 * @param gid the effective group
 */
public record PeerIdentity(int pid, int uid, int gid) {

    public static final PeerIdentity UNKNOWN = new PeerIdentity(0, -1, -1);

    /** Returns the identity of the peer of a channel; {@link #UNKNOWN} if the kernel does not know it. */
    public static PeerIdentity of(Channel channel) {
        if (channel instanceof EpollDomainSocketChannel connection) {
            try {
                PeerCredentials peer = connection.peerCredentials();
                return new PeerIdentity(peer.pid(), peer.uid(), peer.gids()[0]);
            } catch (IOException e) {
                return UNKNOWN;
            }
        }
        return UNKNOWN;
    }

    /** Returns the numbers by name, for an event. */
    public Map<String, Object> details() {
        Map<String, Object> details = new LinkedHashMap<>();
        details.put("uid", Integer.toUnsignedLong(uid));
        details.put("gid", Integer.toUnsignedLong(gid));
        details.put("pid", pid);
        return details;
    }

    public boolean isKnown() {
        return !equals(UNKNOWN);
    }

    @Override
    public String toString() {
        return isKnown()
                ? "uid " + Integer.toUnsignedString(uid) + ", gid " + Integer.toUnsignedString(gid) + ", pid " + pid
                : "unknown client";
    }
}
