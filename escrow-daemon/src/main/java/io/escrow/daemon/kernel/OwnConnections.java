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
            DomainSocketAddress peer = new Socket(descriptor.intValue()).remoteDomainSocketAddress();
            return peer != null && peer.equals(address);
        } catch (ChannelException e) {
            return false; // No socket.
        }
    }
}
