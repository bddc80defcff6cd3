package io.escrow;

import io.netty.channel.ChannelException;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.net.SocketAddress;

/**
 * Describes a descriptor that this process was started with.
 *
 * @param number the descriptor
 * @param name the name that the program which opened it has given it; may be empty
 * @param kind what it is
 * @param address its own address: an {@link java.net.InetSocketAddress}, a {@link
 *     io.netty.channel.unix.DomainSocketAddress}, or {@code null} if the kind is {@link Kind#OTHER}
 */
public record InheritedSocket(int number, String name, Kind kind, SocketAddress address) {

    // socket(7), x86_64 and aarch64
    private static final int SOL_SOCKET = 1;
    private static final int SO_TYPE = 3;
    private static final int SO_ACCEPTCONN = 30;
    private static final int SO_DOMAIN = 39;
    private static final int SOCK_STREAM = 1;
    private static final int SOCK_DGRAM = 2;
    private static final int AF_UNIX = 1;
    private static final int AF_INET = 2;
    private static final int AF_INET6 = 10;

    /** What a descriptor may be. */
    public enum Kind {
        /** A TCP socket that listens. */
        TCP_LISTENER("TCP listener"),
        /** A UNIX-domain stream socket that listens. */
        UNIX_LISTENER("UNIX-domain listener"),
        /** A UDP socket. */
        UDP("UDP socket"),
        /** Anything else, such as a descriptor that is not open. */
        OTHER("something else");

        private final String text;

        Kind(String text) {
            this.text = text;
        }

        @Override
        public String toString() {
            return text;
        }
    }

    /**
     * Examines a descriptor of this process, and leaves it as it is.
     *
     * @param number the descriptor
     * @param name the name of the descriptor; may be empty
     * @return the kind and the address of the descriptor
     */
    public static InheritedSocket look(int number, String name) {
        Epoll.ensureAvailability();
        try {
            // The constructor asks for the address, and fails for everything that is not a socket.
            Socket socket = new Socket(number);
            Kind kind = kind(socket);
            SocketAddress address = switch (kind) {
                case UNIX_LISTENER -> socket.localDomainSocketAddress();
                case OTHER -> null;
                default -> socket.localAddress();
            };
            return new InheritedSocket(number, name, kind, address);
        } catch (ChannelException | IOException e) {
            return new InheritedSocket(number, name, Kind.OTHER, null);
        }
    }

    private static Kind kind(Socket socket) throws IOException {
        int domain = socket.getIntOpt(SOL_SOCKET, SO_DOMAIN);
        int type = socket.getIntOpt(SOL_SOCKET, SO_TYPE);
        boolean listens = socket.getIntOpt(SOL_SOCKET, SO_ACCEPTCONN) != 0;
        boolean internet = domain == AF_INET || domain == AF_INET6;
        if (type == SOCK_STREAM && listens) {
            return domain == AF_UNIX ? Kind.UNIX_LISTENER : internet ? Kind.TCP_LISTENER : Kind.OTHER;
        }
        return type == SOCK_DGRAM && internet ? Kind.UDP : Kind.OTHER;
    }

    @Override
    public String toString() {
        return "inherited descriptor " + number + (name.isEmpty() ? "" : " \"" + name + "\"") + " (" + kind
                + (address == null ? "" : ", " + address) + ")";
    }
}
