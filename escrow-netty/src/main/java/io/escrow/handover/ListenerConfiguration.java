package io.escrow.handover;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;

import io.escrow.InheritedSocket;
import io.escrow.internal.Checks;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.util.concurrent.EventExecutor;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.Set;

/**
 * Describes one listener, or one datagram socket.
 *
 * @param name its name in the escrow
 * @param server the bootstrap of a listener; {@code null} for a datagram socket
 * @param datagrams the bootstrap of a datagram socket; {@code null} for a listener
 * @param address what to bind when the escrow does not hold it
 */
record ListenerConfiguration(String name, ServerBootstrap server, Bootstrap datagrams, SocketAddress address) {

    private static final int MAX_NAME = 255;

    /** Describes a listener; its bootstrap may still change. */
    static ListenerConfiguration of(String name, ServerBootstrap bootstrap, SocketAddress address) {
        return new ListenerConfiguration(
                checkedName(name), requireNonNull(bootstrap, "bootstrap"), null, requireNonNull(address, "address"));
    }

    /** Describes a datagram socket; its bootstrap may still change. */
    static ListenerConfiguration of(String name, Bootstrap bootstrap, SocketAddress address) {
        return new ListenerConfiguration(
                checkedName(name), null, requireNonNull(bootstrap, "bootstrap"), requireNonNull(address, "address"));
    }

    private static String checkedName(String name) {
        int length = name.getBytes(UTF_8).length;
        if (length == 0 || length > MAX_NAME || name.codePoints().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException("name of a listener: \"" + name + "\", " + length
                    + " bytes (expected: 1 to " + MAX_NAME + " bytes without control characters)");
        }
        return name;
    }

    /**
     * Returns a copy that does not change any more.
     *
     * @throws IllegalArgumentException if the bootstrap lacks something
     */
    ListenerConfiguration frozen() {
        if (group() == null) {
            throw incomplete("group", "an epoll event loop group: EpollIoHandler");
        }
        Checks.epoll("listener " + name + ": group", group());
        if (isDatagram()) {
            if (datagrams.config().handler() == null) {
                throw incomplete("handler", "one that reads datagrams");
            }
            return new ListenerConfiguration(name, null, datagrams.clone(), address);
        }
        if (server.config().childGroup() != null) {
            Checks.epoll("listener " + name + ": child group", server.config().childGroup());
        }
        if (server.config().childHandler() == null) {
            throw incomplete("child handler", "one that builds pipelines");
        }
        return new ListenerConfiguration(name, server.clone(), null, address);
    }

    private IllegalArgumentException incomplete(String missing, String expected) {
        return new IllegalArgumentException(
                "listener " + name + ": its bootstrap has no " + missing + " (expected: " + expected + ")");
    }

    boolean isDatagram() {
        return datagrams != null;
    }

    /** Returns the event loops of the socket itself. */
    EventLoopGroup group() {
        return isDatagram() ? datagrams.config().group() : server.config().group();
    }

    /** Returns the event loops of what the listener accepts. */
    Iterable<EventExecutor> childLoops() {
        EventLoopGroup children = isDatagram() ? null : server.config().childGroup();
        return children == null ? group() : children;
    }

    /** Returns the options that the bootstrap of a listener sets for what it accepts. */
    Set<ChannelOption<?>> childOptions() {
        return server.config().childOptions().keySet();
    }

    InheritedSocket.Kind kind() {
        if (isDatagram()) {
            return InheritedSocket.Kind.UDP;
        }
        return address instanceof DomainSocketAddress
                ? InheritedSocket.Kind.UNIX_LISTENER
                : InheritedSocket.Kind.TCP_LISTENER;
    }

    /** Returns whether port 0 is asked for: then an address is no mark of this listener. */
    boolean hasAnyPort() {
        return address instanceof InetSocketAddress asked && asked.getPort() == 0;
    }

    /** Returns whether an address is the one that was asked for. Port 0 and a wildcard ask for any. */
    boolean isAskedFor(SocketAddress actual) {
        if (address instanceof InetSocketAddress asked && actual instanceof InetSocketAddress is) {
            return (asked.getPort() == 0 || asked.getPort() == is.getPort())
                    && (asked.getAddress().isAnyLocalAddress()
                            ? is.getAddress().isAnyLocalAddress()
                            : asked.getAddress().equals(is.getAddress()));
        }
        // Netty does not know the address of an adopted UNIX-domain socket: the name is all there is to go by.
        return actual == null || address.equals(actual);
    }

    String comparedWith(SocketAddress actual) {
        return "asked for " + address + ", has " + actual;
    }
}
