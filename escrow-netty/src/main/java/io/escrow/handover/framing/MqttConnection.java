package io.escrow.handover.framing;

import io.escrow.handover.protocol.FramedConnection;
import io.escrow.handover.protocol.MessageFraming;
import io.escrow.handover.protocol.ProtocolContext;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.handler.codec.mqtt.MqttVersion;
import io.netty.util.Attribute;
import io.netty.util.AttributeKey;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;

/** Carries the version over that the client has chosen: decoder and encoder look for it in an attribute of the channel. */
final class MqttConnection extends FramedConnection {

    /** DISCONNECT with the reason 0x8B, "server shutting down". Only MQTT 5 lets a server say so. */
    private static final byte[] SERVER_SHUTTING_DOWN = {(byte) 0xE0, 1, (byte) 0x8B};

    private final ProtocolContext context;
    private final Attribute<MqttVersion> version;
    private boolean known;

    MqttConnection(ProtocolContext context, String protocol, ChannelHandler decoder, MessageFraming framing) {
        super(context, protocol, decoder, framing);
        this.context = context;
        // The name that Netty's codec uses.
        this.version = decoder().channel().attr(AttributeKey.valueOf("NETTY_CODEC_MQTT_VERSION"));
    }

    /** Lets the escrow know the version as soon as CONNECT has been through: a server without state asks for no checkpoint. */
    @Override
    public void passed() {
        if (!known && version.get() != null) {
            known = true;
            if (context.isEscrowed()) {
                context.checkpoint();
            }
        }
    }

    @Override
    public void save(ByteBuf out) {
        if (version.get() != null) {
            out.writeByte(version.get().protocolLevel());
        }
    }

    @Override
    public CompletableFuture<Void> restore(ByteBuf in) {
        int level = in.readByte();
        for (MqttVersion each : MqttVersion.values()) {
            if (each.protocolLevel() == level) {
                version.set(each);
                known = true;
                return CompletableFuture.completedFuture(null);
            }
        }
        return CompletableFuture.failedFuture(new IOException("version " + level + " of MQTT is not known here"));
    }

    @Override
    public byte[] farewell() {
        return version.get() == MqttVersion.MQTT_5 ? SERVER_SHUTTING_DOWN.clone() : new byte[0];
    }

    @Override
    public CompletableFuture<Void> end() {
        CompletableFuture<Void> ended = new CompletableFuture<>();
        if (version.get() == MqttVersion.MQTT_5) {
            // Packets are written whole, so this one is between two.
            decoder()
                    .writeAndFlush(Unpooled.wrappedBuffer(SERVER_SHUTTING_DOWN.clone()))
                    .addListener(f -> ended.complete(null));
        }
        return ended;
    }
}
