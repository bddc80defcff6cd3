package io.escrow.examples.mqtt;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.util.function.Consumer;

/** Writes and reads what is stored. */
final class Bytes {

    private Bytes() {}

    static byte[] of(Consumer<ByteBuf> writer) {
        ByteBuf out = Unpooled.buffer();
        writer.accept(out);
        return ByteBufUtil.getBytes(out);
    }

    static void writeText(ByteBuf out, String text) {
        out.writeShort(ByteBufUtil.utf8Bytes(text));
        out.writeCharSequence(text, UTF_8);
    }

    static String readText(ByteBuf in) {
        return in.readCharSequence(in.readUnsignedShort(), UTF_8).toString();
    }
}
