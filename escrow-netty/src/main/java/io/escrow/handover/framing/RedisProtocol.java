package io.escrow.handover.framing;

import io.escrow.handover.protocol.FramedProtocol;

/** Moves connections of RESP, the protocol of Redis, version 2. */
public final class RedisProtocol extends FramedProtocol {

    /** Makes the protocol; it has no settings. */
    public RedisProtocol() {
        super("redis", "io.netty.handler.codec.redis.RedisDecoder", RedisFraming::new);
    }
}
