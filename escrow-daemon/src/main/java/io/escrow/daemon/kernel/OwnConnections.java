package io.escrow.daemon.kernel;

import io.escrow.OwnedDescriptor;
import io.netty.channel.ChannelException;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Socket;
import java.util.function.Predicate;

/**
 * Recognizes the client's end of a connection to this daemon. A daemon that held it would never see the end of that
 * session.
 */
public final class OwnConnections implements Predicate<OwnedDescriptor> {

    private final DomainSocketAddress address;

    /**
     * Creates an object.
     *
     * @param accepted a connection that the daemon has accepted
     */
    public OwnConnections(EpollDomainSocketChannel accepted) {
        address = new Socket(accepted.fd().intValue()).localDomainSocketAddress();
    }

    @Override
    public boolean test(OwnedDescriptor descriptor) {
        try {
            AnySocket socket = new AnySocket(descriptor.intValue());
            return !socket.isIpv6() && address.equals(socket.remoteDomainSocketAddress());
        } catch (ChannelException e) {
            return false; // No socket.
        }
    }

    /** Knows the family of a socket, for which Netty asks in any case: most sockets need no other system call. */
    private static final class AnySocket extends Socket {
        AnySocket(int number) {
            super(number);
        }

        boolean isIpv6() {
            return ipv6;
        }
    }
}
