package io.escrow.system;

import io.escrow.handover.protocol.Protocol;
import io.escrow.handover.protocol.ProtocolConnection;
import io.escrow.handover.protocol.ProtocolContext;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandler;
import io.netty.handler.codec.mqtt.MqttDecoder;

/** Gives MQTT's decoder, which keeps state inside a packet, whole packets only. */
final class MqttFraming implements Protocol {

    @Override
    public String name() {
        return "mqtt";
    }

    @Override
    public ProtocolConnection recognise(ProtocolContext context) {
        MqttDecoder decoder = context.pipeline().get(MqttDecoder.class);
        return decoder == null ? null : new Packets(decoder);
    }

    private static final class Packets implements ProtocolConnection {
        private final MqttDecoder decoder;
        private int rest;

        Packets(MqttDecoder decoder) {
            this.decoder = decoder;
        }

        @Override
        public ChannelHandler firstHandler() {
            return decoder;
        }

        @Override
        public int next(ByteBuf in, boolean mayBegin) {
            int length = rest;
            if (length == 0) {
                length = mayBegin ? packetLength(in) : 0;
            }
            int passing = length <= MAX_KEPT && rest == 0 && length > in.readableBytes()
                    ? 0
                    : Math.min(length, in.readableBytes());
            rest = passing == 0 ? 0 : length - passing;
            return passing;
        }

        /** Returns 0 if the length is not there yet. */
        private static int packetLength(ByteBuf in) {
            int value = 0;
            for (int i = 0; i < 4 && i + 1 < in.readableBytes(); i++) {
                byte digit = in.getByte(in.readerIndex() + 1 + i);
                value |= (digit & 0x7f) << (7 * i);
                if (digit >= 0) {
                    return 2 + i + value;
                }
            }
            return 0;
        }

        @Override
        public boolean feeds(ChannelHandler handler) {
            return handler == decoder;
        }

        @Override
        public boolean isAtRest() {
            return rest == 0;
        }
    }
}
