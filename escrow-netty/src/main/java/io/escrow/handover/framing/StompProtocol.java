package io.escrow.handover.framing;

import io.escrow.handover.protocol.FramedProtocol;

/** Moves connections of STOMP. */
public final class StompProtocol extends FramedProtocol {

    /** Makes the protocol; it has no settings. */
    public StompProtocol() {
        super("stomp", "io.netty.handler.codec.stomp.StompSubframeDecoder", StompFraming::new);
    }
}
