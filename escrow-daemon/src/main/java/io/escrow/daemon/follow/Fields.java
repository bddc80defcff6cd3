package io.escrow.daemon.follow;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.Limits;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;

/** Writes the fields of a frame's body one by one, and reads them. A reader ignores what is behind the fields it knows. */
final class Fields {

    private final ByteBuf bytes;

    private Fields(ByteBuf bytes) {
        this.bytes = bytes;
    }

    /** Begins to write. */
    static Fields write() {
        return new Fields(Unpooled.buffer());
    }

    /** Begins to write so many bytes, which are then not copied. */
    static Fields write(int length) {
        return new Fields(Unpooled.buffer(length, length));
    }

    /**
     * Begins to read. Each read method throws an {@link IndexOutOfBoundsException} at the end of the body.
     */
    static Fields read(LinkFrame frame) {
        return new Fields(Unpooled.wrappedBuffer(frame.body()));
    }

    Fields put(int value) {
        bytes.writeInt(value);
        return this;
    }

    Fields put(long value) {
        bytes.writeLong(value);
        return this;
    }

    Fields put(boolean value) {
        bytes.writeByte(value ? 1 : 0);
        return this;
    }

    Fields put(byte[] value) {
        bytes.writeInt(value.length).writeBytes(value);
        return this;
    }

    Fields put(String value) {
        return put(value.getBytes(UTF_8));
    }

    Fields put(Limits limits) {
        return put(limits.tags())
                .put(limits.payload())
                .put(limits.packetBytes())
                .put(limits.packetDescriptors())
                .put(limits.packetFrames())
                .put(limits.packetsInFlight())
                .put(limits.farewell());
    }

    /** Returns whether there is another field. */
    boolean hasMore() {
        return bytes.isReadable();
    }

    int getInt() {
        return bytes.readInt();
    }

    long getLong() {
        return bytes.readLong();
    }

    boolean getBoolean() {
        return bytes.readByte() != 0;
    }

    byte[] getBytes() {
        int length = bytes.readInt();
        if (length < 0 || length > bytes.readableBytes()) {
            throw new IndexOutOfBoundsException(
                    "length of a field: " + length + " (expected: 0.." + bytes.readableBytes() + ")");
        }
        byte[] value = new byte[length];
        bytes.readBytes(value);
        return value;
    }

    String getText() {
        return new String(getBytes(), UTF_8);
    }

    Limits getLimits() {
        return new Limits(getInt(), getInt(), getInt(), getInt(), getInt(), getInt(), getInt());
    }

    private byte[] body() {
        if (!bytes.isWritable()) {
            return bytes.array();
        }
        byte[] body = new byte[bytes.readableBytes()];
        bytes.readBytes(body);
        return body;
    }

    /** Returns a frame of what was written. */
    LinkFrame frame(LinkKind kind) {
        return LinkFrame.of(kind, body());
    }
}
