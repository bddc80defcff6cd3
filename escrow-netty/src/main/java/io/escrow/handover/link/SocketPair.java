package io.escrow.handover.link;

import io.netty.channel.ChannelException;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * Holds the numbers of two connected sockets, which the caller closes.
 *
 * @param one the number of one end
 * @param other the number of the other end
 */
public record SocketPair(int one, int other) {

    private static final int MAX_ADDRESS = 128;

    /** How long a TCP connection to this process may take. */
    private static final long CONNECT_NANOS = TimeUnit.SECONDS.toNanos(1);

    /** Makes a pair of UNIX-domain sockets. Netty has no socketpair(2): one end connects to a name that no other process can guess in time. */
    public static SocketPair open() throws IOException {
        DomainSocketAddress address = new DomainSocketAddress("\0escrow-" + UUID.randomUUID());
        Socket listener = newSocket(Socket::newSocketDomain);
        try {
            listener.bind(address);
            listener.listen(1);
            Socket one = newSocket(Socket::newSocketDomain);
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

    /**
     * Makes a pair of TCP sockets over the loopback interface, in a second at most.
     *
     * @throws IOException if there is no such interface, or another process has connected instead
     */
    public static SocketPair openTcp() throws IOException {
        Socket listener = newSocket(Socket::newSocketStream);
        try {
            listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            listener.listen(1);
            Socket one = newSocket(Socket::newSocketStream);
            try {
                one.connect(listener.localAddress());
                // As Netty has it: else small messages wait for each other.
                one.setTcpNoDelay(true);
                return new SocketPair(one.intValue(), accept(listener, one));
            } catch (IOException e) {
                one.close();
                throw e;
            }
        } finally {
            listener.close();
        }
    }

    private static Socket newSocket(Supplier<Socket> kind) throws IOException {
        try {
            return kind.get();
        } catch (ChannelException e) {
            throw e.getCause() instanceof IOException cause ? cause : new IOException(e);
        }
    }

    private static int accept(Socket listener, Socket expected) throws IOException {
        long began = System.nanoTime();
        int accepted = listener.accept(new byte[MAX_ADDRESS]);
        while (accepted < 0) {
            if (System.nanoTime() - began > CONNECT_NANOS) {
                throw new IOException("no connection to this process came in "
                        + TimeUnit.NANOSECONDS.toMillis(CONNECT_NANOS) + " ms");
            }
            Thread.onSpinWait();
            accepted = listener.accept(new byte[MAX_ADDRESS]);
        }
        Socket other = new Socket(accepted);
        try {
            if (!expected.localAddress().equals(other.remoteAddress())) {
                throw new IOException("another process has connected to " + listener.localAddress());
            }
            other.setTcpNoDelay(true);
            return accepted;
        } catch (IOException e) {
            other.close();
            throw e;
        }
    }
}
