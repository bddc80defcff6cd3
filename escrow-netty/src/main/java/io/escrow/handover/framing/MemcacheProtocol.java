package io.escrow.handover.framing;

import io.escrow.handover.protocol.Protocol;
import io.escrow.handover.protocol.ProtocolConnection;
import io.escrow.handover.protocol.ProtocolContext;
import io.netty.channel.ChannelHandler;

/**
 * Moves connections of the binary protocol of memcache.
 *
 * <p>The module {@code netty-codec-memcache} need not be there: without it no connection is recognised.
 */
public final class MemcacheProtocol implements Protocol {

    private static final String[] DECODERS = {
        "io.netty.handler.codec.memcache.binary.BinaryMemcacheServerCodec",
        "io.netty.handler.codec.memcache.binary.BinaryMemcacheRequestDecoder"
    };

    /** Makes the protocol; it has no settings. */
    public MemcacheProtocol() {}

    @Override
    public String name() {
        return "memcache";
    }

    @Override
    public ProtocolConnection recognise(ProtocolContext context) {
        for (String each : DECODERS) {
            ChannelHandler decoder = context.find(each);
            if (decoder != null) {
                return new MemcacheConnection(context, name(), decoder);
            }
        }
        return null;
    }
}
