package io.escrow.handover.connection;

import io.netty.channel.Channel;
import io.netty.channel.ChannelException;
import io.netty.channel.ChannelOption;
import io.netty.channel.unix.IntegerUnixChannelOption;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Keeps those options of an adopted connection as they were that its socket has in the kernel. The options of the bootstrap
 * were applied when the connection was accepted; what was changed since holds. Options that only the channel has are
 * the bootstrap's.
 */
final class SocketOptions {

    private final Boolean noDelay;

    /** Those that the bootstrap sets. */
    private Map<ChannelOption<?>, Object> before = Map.of();

    /**
     * Notes how the options of a socket are.
     *
     * @param noDelay what {@code TCP_NODELAY} was before the channel was made, which sets it; {@code null} if the socket has
     *     no such option
     * @param changed the options that the bootstrap is going to set
     */
    SocketOptions(Channel channel, Boolean noDelay, Collection<ChannelOption<?>> changed) {
        this.noDelay = noDelay;
        for (ChannelOption<?> option : changed) {
            Object value = isOfSocket(option) ? channel.config().getOption(option) : null;
            if (value != null && !option.equals(ChannelOption.TCP_NODELAY)) {
                before = before.isEmpty() ? new LinkedHashMap<>() : before;
                before.put(option, value);
            }
        }
    }

    /** Netty names the options of sockets as setsockopt(2) does. */
    private static boolean isOfSocket(ChannelOption<?> option) {
        String name = option.name().substring(option.name().indexOf('#') + 1);
        return option instanceof IntegerUnixChannelOption
                || name.startsWith("SO_")
                || name.startsWith("IP_")
                || name.startsWith("TCP_");
    }

    /** Sets the options of a channel again that are not as they were. */
    void restore(Channel channel) {
        if (!before.isEmpty()) {
            before.forEach((option, value) -> restore(channel, option, value));
        }
        if (noDelay != null) {
            restore(channel, ChannelOption.TCP_NODELAY, noDelay);
        }
    }

    private static void restore(Channel channel, ChannelOption<?> option, Object value) {
        if (!value.equals(channel.config().getOption(option))) {
            set(channel, option, value);
        }
    }

    @SuppressWarnings("unchecked") // it was read from this option
    private static void set(Channel channel, ChannelOption<?> option, Object value) {
        boolean doubled = option.equals(ChannelOption.SO_RCVBUF) || option.equals(ChannelOption.SO_SNDBUF);
        // The kernel shows twice the size that was asked for: socket(7).
        Object wanted = doubled ? (Integer) value / 2 : value;
        try {
            channel.config().setOption((ChannelOption<Object>) option, wanted);
        } catch (ChannelException e) {
            throw new IllegalStateException(
                    "option " + option + " of its socket can't be set to " + wanted + ": " + e, e);
        }
    }
}
