package io.escrow.vertx;

import io.escrow.handover.HandoverTransport;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ServerChannel;
import io.vertx.core.impl.transports.EpollTransport;
import java.util.Map;

/**
 * Is what Vert.x works with when its servers are handed over. With Vert.x 5, {@link EscrowVertxTransport} wraps it. With
 * Vert.x 4.5, give it to {@code new io.vertx.core.impl.VertxBuilder().findTransport(...)}.
 *
 * <p>For one {@code Vertx}.
 */
public final class EscrowEpollTransport extends EpollTransport {

    private final ListenerSources sources;

    EscrowEpollTransport(ListenerSources sources) {
        this.sources = sources;
    }

    /**
     * Makes a transport for one server; see {@link EscrowVertxTransport#of(HandoverTransport, String)}.
     *
     * @param handover where the server's listener comes from
     * @param listener names it in the escrow
     * @return the transport
     */
    public static EscrowEpollTransport of(HandoverTransport handover, String listener) {
        return new EscrowEpollTransport(ListenerSources.one(listener, handover::serverChannels));
    }

    /**
     * Makes a transport for servers on several ports; see {@link EscrowVertxTransport#of(HandoverTransport, Map)}.
     *
     * @param handover where the listeners of the servers come from
     * @param listeners the names of the listeners in the escrow by their ports, each 0 to 65,535, one at least
     * @return the transport
     * @throws IllegalArgumentException if there is none, or a port is out of range
     */
    public static EscrowEpollTransport of(HandoverTransport handover, Map<Integer, String> listeners) {
        return new EscrowEpollTransport(ListenerSources.byPort(listeners, handover::serverChannels));
    }

    /** Returns what makes the channels of servers. */
    @Override
    public ChannelFactory<? extends ServerChannel> serverChannelFactory(boolean domainSocket) {
        return domainSocket ? super.serverChannelFactory(true) : () -> new DeferredServerChannel(sources);
    }
}
