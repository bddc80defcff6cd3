package io.escrow.handover.link;

import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.util.UUID;

/**
 * Holds the numbers of two connected UNIX-domain sockets, which the caller closes.
 *
 * @param one the number of one end
 * @param other the number of the other end
 */
public record SocketPair(int one, int other) {

    private static final int MAX_ADDRESS = 128;

    /** Makes a pair. Netty has no socketpair(2): one end connects to a name that no other process can guess in time. */
    public static SocketPair open() throws IOException {
        DomainSocketAddress address = new DomainSocketAddress("\0escrow-" + UUID.randomUUID());
        Socket listener = Socket.newSocketDomain();
        try {
            listener.bind(address);
            listener.listen(1);
            Socket one = Socket.newSocketDomain();
            try {
                one.connect(address);
                return new SocketPair(one.intValue(), listener.accept(new byte[MAX_ADDRESS]));
            } catch (IOException e) {
                one.close();
                throw e;
            }
        } finally {
            listener.close();
        }
    }
}
