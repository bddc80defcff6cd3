package io.escrow.handover.framing;

import io.escrow.handover.protocol.FramedProtocol;
import io.escrow.handover.protocol.MessageFraming;
import io.escrow.handover.protocol.ProtocolConnection;
import io.escrow.handover.protocol.ProtocolContext;
import io.netty.channel.ChannelHandler;

/**
 * Moves connections of MQTT 3.1, 3.1.1 and 5.
 *
 * <p>The module {@code netty-codec-mqtt} need not be there: without it no connection is recognised.
 */
public final class MqttProtocol extends FramedProtocol {

    private static final String NAME = "mqtt";

    /** Makes the protocol; it has no settings. */
    public MqttProtocol() {
        super(NAME, "io.netty.handler.codec.mqtt.MqttDecoder", MqttFraming::new);
    }

    @Override
    protected ProtocolConnection connection(ProtocolContext context, ChannelHandler decoder, MessageFraming framing) {
        return new MqttConnection(context, NAME, decoder, framing);
    }
}
