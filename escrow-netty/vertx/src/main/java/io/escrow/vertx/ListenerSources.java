package io.escrow.vertx;

import io.netty.channel.ChannelFactory;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;

/** Knows where the listener of a server comes from, when it is known what the server binds. Used by any thread. */
interface ListenerSources {

    /**
     * Returns what makes the listener of a server.
     *
     * @param address what it binds
     * @throws IllegalStateException if no server is to bind it
     */
    ChannelFactory<? extends ServerChannel> forAddress(SocketAddress address);

    /** Makes the sources of one listener. */
    static ListenerSources one(String name, Function<String, ChannelFactory<EpollServerSocketChannel>> listeners) {
        ChannelFactory<EpollServerSocketChannel> source = listeners.apply(name);
        AtomicBoolean used = new AtomicBoolean();
        return address -> {
            if (used.getAndSet(true)) {
                throw new IllegalStateException(
                        "a second server binds " + address + ", but the transport has one listener, "
                                + name
                                + " (expected: one server, which listens once; for more, name their listeners by port, as in"
                                + " Map.of(8080, \"http\"))");
            }
            return source;
        };
    }

    /** Makes the sources of several listeners. */
    static ListenerSources byPort(
            Map<Integer, String> names, Function<String, ChannelFactory<EpollServerSocketChannel>> listeners) {
        if (names.isEmpty()) {
            throw new IllegalArgumentException("no listener (expected: the name of one at least, by its port)");
        }
        Map<Integer, ChannelFactory<EpollServerSocketChannel>> sources = new HashMap<>();
        names.forEach((port, name) -> {
            if (port < 0 || port > 65_535) {
                throw new IllegalArgumentException(
                        "port of the listener " + name + ": " + port + " (expected: 0 to 65535)");
            }
            sources.put(port, listeners.apply(name));
        });
        return address -> address instanceof InetSocketAddress inet && sources.containsKey(inet.getPort())
                ? sources.get(inet.getPort())
                : EpollServerSocketChannel::new;
    }
}
