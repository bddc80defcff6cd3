package io.escrow.examples.mqtt;

import io.netty.handler.codec.mqtt.MqttFixedHeader;
import io.netty.handler.codec.mqtt.MqttPublishMessage;

/** Marks packets that are sent again. */
final class Duplicates {

    private Duplicates() {}

    static MqttPublishMessage of(MqttPublishMessage packet) {
        MqttFixedHeader header = packet.fixedHeader();
        return new MqttPublishMessage(
                new MqttFixedHeader(
                        header.messageType(), true, header.qosLevel(), header.isRetain(), header.remainingLength()),
                packet.variableHeader(),
                packet.payload());
    }
}
