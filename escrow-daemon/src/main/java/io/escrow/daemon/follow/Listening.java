package io.escrow.daemon.follow;

import io.netty.channel.unix.FileDescriptor;

/**
 * A listening socket of a daemon.
 *
 * @param role what it is for
 * @param address the address to which it was bound
 * @param owned whether a daemon has put it at its path, and not systemd
 * @param published whether it is still there
 */
public record Listening(Role role, String address, boolean owned, boolean published) {

    /** What a socket is for. */
    public enum Role {
        /** New clients find it at the daemon's path. */
        CLIENTS,
        /** Clients have found it at the path before, and may wait for their turn there. */
        EARLIER_CLIENTS,
        /** Operators. */
        OPERATORS,
        /** Monitoring systems, over TCP. */
        METRICS
    }

    LinkFrame frame(FileDescriptor socket) {
        Fields body = Fields.write().put(role.name()).put(address).put(owned).put(published);
        return new LinkFrame(LinkKind.LISTENER, body, false, socket);
    }

    static Listening of(LinkFrame frame) {
        Fields in = frame.body();
        return new Listening(Role.valueOf(in.getText()), in.getText(), in.getBoolean(), in.getBoolean());
    }
}
