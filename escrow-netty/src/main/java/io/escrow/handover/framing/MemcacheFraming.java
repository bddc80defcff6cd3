package io.escrow.handover.framing;

import io.escrow.handover.protocol.MessageFraming;
import io.netty.buffer.ByteBuf;

/** Finds the ends of binary memcache messages: a header of 24 bytes, which has the length of the body. */
final class MemcacheFraming implements MessageFraming {

    private static final int HEADER = 24;
    private static final int KEY_LENGTH = 2;
    private static final int EXTRAS_LENGTH = 4;
    private static final int BODY_LENGTH = 8;

    @Override
    public long next(ByteBuf in) {
        if (in.readableBytes() < HEADER) {
            return 0;
        }
        int start = in.readerIndex();
        int body = in.getInt(start + BODY_LENGTH);
        int keyAndExtras = in.getUnsignedShort(start + KEY_LENGTH) + in.getUnsignedByte(start + EXTRAS_LENGTH);
        return body < keyAndExtras ? MALFORMED : (long) HEADER + body;
    }
}
