package io.escrow.handover.connection;

import io.escrow.internal.EventLoops;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.channels.NotYetConnectedException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Makes a peer see the end of its connection at once, although the escrow has a duplicate of it. */
public final class PeerShutdown {

    private static final Logger logger = LoggerFactory.getLogger(PeerShutdown.class);

    private PeerShutdown() {}

    /** To be called before a connection is closed that is in the escrow, or may be. */
    public static void beforeClose(Channel channel) {
        // With SO_LINGER 0 a reset is asked for: that goes out when the slot is freed.
        Integer linger = channel.config().getOption(ChannelOption.SO_LINGER);
        if (linger == null || linger != 0) {
            shutDown(channel);
        }
    }

    /** Shuts the connection down in all processes that have it. */
    public static void shutDown(Channel channel) {
        try {
            ((Socket) EventLoops.descriptor(channel)).shutdown(true, true);
        } catch (IOException | NotYetConnectedException e) {
            // Then the peer has gone already.
            logger.debug("shutting down {} failed", channel, e);
        }
    }
}
