package io.escrow.examples.mqtt;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.mqtt.MqttQoS;

/** An application message, as it is published, kept and stored. Immutable. */
final class Message {

    final String topic;
    final MqttQoS qos;
    final boolean retain;
    private final byte[] payload;

    /** Makes a message; the payload belongs to it from now on. */
    Message(String topic, byte[] payload, MqttQoS qos, boolean retain) {
        this.topic = topic;
        this.payload = payload;
        this.qos = qos;
        this.retain = retain;
    }

    Message with(MqttQoS granted, boolean asRetained) {
        return new Message(topic, payload, granted, asRetained);
    }

    boolean isEmpty() {
        return payload.length == 0;
    }

    ByteBuf payload() {
        return Unpooled.wrappedBuffer(payload);
    }

    void writeTo(ByteBuf out) {
        Bytes.writeText(out, topic);
        out.writeInt(payload.length).writeBytes(payload);
        out.writeByte(qos.value()).writeBoolean(retain);
    }

    static Message readFrom(ByteBuf in) {
        String topic = Bytes.readText(in);
        byte[] payload = new byte[in.readInt()];
        in.readBytes(payload);
        return new Message(topic, payload, MqttQoS.valueOf(in.readByte()), in.readBoolean());
    }
}
