package io.escrow.handover;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;

import io.escrow.InheritedSocket;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;

/**
 * Describes one listener, or one datagram socket.
 *
 * @param name its name in the escrow
 * @param source what makes its channel
 * @param address what to bind when the escrow does not hold it; {@code null} as long as a framework has not said it
 */
record ListenerConfiguration(String name, SocketSource source, SocketAddress address) {

    private static final int MAX_NAME = 255;

    ListenerConfiguration {
        int length = name.getBytes(UTF_8).length;
        if (length == 0 || length > MAX_NAME || name.codePoints().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException("name of a listener: \"" + name + "\", " + length
                    + " bytes (expected: 1 to " + MAX_NAME + " bytes without control characters)");
        }
    }

    /** Describes a listener; its bootstrap may still change. */
    static ListenerConfiguration of(String name, ServerBootstrap bootstrap, SocketAddress address) {
        return new ListenerConfiguration(
                name, new ServerSource(requireNonNull(bootstrap, "bootstrap")), requireNonNull(address, "address"));
    }

    /** Describes a datagram socket; its bootstrap may still change. */
    static ListenerConfiguration of(String name, Bootstrap bootstrap, SocketAddress address) {
        return new ListenerConfiguration(
                name, new DatagramSource(requireNonNull(bootstrap, "bootstrap")), requireNonNull(address, "address"));
    }

    /** Describes a listener whose channel a framework makes, and binds to an address of its own. */
    static ListenerConfiguration of(String name, HostedSocket<?> hosted) {
        return new ListenerConfiguration(name, hosted, null);
    }

    /**
     * Returns a copy that does not change any more.
     *
     * @throws IllegalArgumentException if the bootstrap lacks something
     */
    ListenerConfiguration frozen() {
        return new ListenerConfiguration(name, source.frozen(name), address);
    }

    /** Returns a copy with another address. */
    ListenerConfiguration at(SocketAddress other) {
        return new ListenerConfiguration(name, source, other);
    }

    boolean isDatagram() {
        return source instanceof DatagramSource;
    }

    InheritedSocket.Kind kind() {
        return source.kind(address);
    }

    /** Returns whether an address is a mark of this listener: one that is known, with a port that is not 0. */
    boolean isKnownByAddress() {
        return address != null && !(address instanceof InetSocketAddress asked && asked.getPort() == 0);
    }

    /** Returns whether an address is the one that was asked for. Port 0 and a wildcard ask for any. */
    boolean isAskedFor(SocketAddress actual) {
        if (address instanceof InetSocketAddress asked && actual instanceof InetSocketAddress is) {
            return (asked.getPort() == 0 || asked.getPort() == is.getPort())
                    && isAskedFor(asked.getAddress(), is.getAddress());
        }
        // Netty does not know the address of an adopted UNIX-domain socket: the name is all there is to go by.
        return address == null || actual == null || address.equals(actual);
    }

    /** Compares addresses; one that could not be resolved is no other's. */
    private static boolean isAskedFor(InetAddress asked, InetAddress is) {
        return asked != null && (asked.isAnyLocalAddress() ? is.isAnyLocalAddress() : asked.equals(is));
    }

    String comparedWith(SocketAddress actual) {
        return "asked for " + address + ", has " + actual;
    }
}
