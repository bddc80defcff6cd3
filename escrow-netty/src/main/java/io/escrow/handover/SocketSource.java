package io.escrow.handover;

import io.escrow.InheritedSocket;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelOption;
import java.net.SocketAddress;
import java.util.Collection;

/** Makes the channel of a listener, or of a datagram socket. The channel reads nothing yet. */
interface SocketSource {

    /** Returns the kind of a socket with an address. */
    InheritedSocket.Kind kind(SocketAddress address);

    /** Binds a fresh socket. */
    ChannelFuture bind(SocketAddress address);

    /** Makes a channel of a socket that has an address already; it owns the descriptor, unless this throws. */
    ChannelFuture adopt(int descriptor, SocketAddress address);

    /** Returns the options that may be set for what the socket accepts, before anything is known about its past. */
    Collection<ChannelOption<?>> childOptions();

    /**
     * Returns a copy that does not change any more.
     *
     * @param name the name of the listener, for messages
     * @throws IllegalArgumentException if something is missing
     */
    SocketSource frozen(String name);

    static IllegalArgumentException incomplete(String name, String missing, String expected) {
        return new IllegalArgumentException(
                "listener " + name + ": its bootstrap has no " + missing + " (expected: " + expected + ")");
    }
}
