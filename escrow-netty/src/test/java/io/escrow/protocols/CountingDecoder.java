package io.escrow.protocols;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ReplayingDecoder;
import io.netty.handler.codec.TooLongFrameException;
import java.util.List;

/** Decodes messages of {@code length u16, body}. Keeps the length while the body comes in. */
class CountingDecoder extends ReplayingDecoder<CountingDecoder.Part> {

    enum Part {
        LENGTH,
        BODY
    }

    static final int LENGTH_BYTES = 2;
    static final int MAX_BODY = 20_000;

    private int length;

    CountingDecoder() {
        super(Part.LENGTH);
    }

    @Override
    protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) {
        if (state() == Part.LENGTH) {
            length = in.readUnsignedShort();
            if (length > MAX_BODY) {
                throw new TooLongFrameException("a body of " + length + " bytes (expected: at most " + MAX_BODY + ")");
            }
            checkpoint(Part.BODY);
        }
        ByteBuf body = in.readBytes(length);
        checkpoint(Part.LENGTH);
        out.add(body);
    }
}
