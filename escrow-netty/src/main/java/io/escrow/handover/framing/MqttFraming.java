package io.escrow.handover.framing;

import io.escrow.handover.protocol.MessageFraming;
import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.mqtt.MqttMessage;

/** Finds the ends of MQTT control packets: a byte of type and flags, and a remaining length of 1 to 4 bytes. */
final class MqttFraming implements MessageFraming {

    private static final int PUBLISH = 3;
    private static final int PUBREL = 6;
    private static final int SUBSCRIBE = 8;
    private static final int UNSUBSCRIBE = 10;
    private static final int LENGTH_BYTES = 4;

    @Override
    public long next(ByteBuf in) {
        int first = in.readUnsignedByte();
        if (!isHeader(first >> 4, first & 0x0F)) {
            return MALFORMED;
        }
        int remaining = 0;
        for (int i = 0; i < LENGTH_BYTES; i++) {
            if (!in.isReadable()) {
                return 0;
            }
            int digit = in.readByte();
            remaining |= (digit & 0x7F) << (7 * i);
            if (digit >= 0) {
                return 2L + i + remaining;
            }
        }
        return MALFORMED;
    }

    /** Returns whether the decoder does not complain of the first byte: it must not wait for the others in vain. */
    private static boolean isHeader(int type, int flags) {
        return switch (type) {
            case 0 -> false;
            case PUBLISH -> ((flags >> 1) & 3) != 3;
            case PUBREL, SUBSCRIBE, UNSUBSCRIBE -> flags == 2;
            default -> flags == 0;
        };
    }

    @Override
    public boolean isFailure(Object decoded) {
        return decoded instanceof MqttMessage message && message.decoderResult().isFailure();
    }
}
