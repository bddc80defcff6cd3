package io.escrow.daemon.follow;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.Deposit;
import io.escrow.Limits;
import io.netty.buffer.ByteBuf;
import java.util.Arrays;

/**
 * Writes the fields of a frame's body one by one, and reads them. A reader ignores what is behind the fields it knows. The
 * fields are put together by hand: each change of a slot comes through here, and any buffer would cost more than its bytes.
 */
final class Fields {

    private static final int FIRST_CAPACITY = 64;
    private static final int LARGEST_KEPT = 64 * 1024;

    private byte[] bytes;
    /** The end of what was written, or of what can be read. */
    private int end;

    private int at;

    private Fields(byte[] bytes, int at, int end) {
        this.bytes = bytes;
        this.at = at;
        this.end = end;
    }

    /** Begins to write. */
    static Fields write() {
        return write(FIRST_CAPACITY);
    }

    /** Begins to write so many bytes, which are then not copied. */
    static Fields write(int length) {
        return new Fields(new byte[length], 0, 0);
    }

    /** Begins to write again, in place of what was written before, and so many bytes without a copy. */
    Fields again(int length) {
        if (bytes.length < length || bytes.length > LARGEST_KEPT) {
            bytes = new byte[length];
        }
        at = 0;
        end = 0;
        return this;
    }

    /**
     * Begins to read a part of an array, which is not copied. Each read method throws an {@link IndexOutOfBoundsException}
     * at the end of that part.
     */
    static Fields read(byte[] bytes, int from, int to) {
        return new Fields(bytes, from, to);
    }

    Fields put(int value) {
        int i = room(Integer.BYTES);
        bytes[i] = (byte) (value >>> 24);
        bytes[i + 1] = (byte) (value >>> 16);
        bytes[i + 2] = (byte) (value >>> 8);
        bytes[i + 3] = (byte) value;
        return this;
    }

    Fields put(long value) {
        return put((int) (value >>> 32)).put((int) value);
    }

    Fields put(boolean value) {
        int i = room(1);
        bytes[i] = (byte) (value ? 1 : 0);
        return this;
    }

    Fields put(byte[] value) {
        put(value.length);
        int i = room(value.length);
        System.arraycopy(value, 0, bytes, i, value.length);
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

    /** Returns where the next bytes go. */
    private int room(int length) {
        int from = end;
        if (bytes.length - from < length) {
            bytes = Arrays.copyOf(bytes, Math.addExact(Math.max(from, length), from));
        }
        end = from + length;
        return from;
    }

    /** Returns whether there is another field. */
    boolean hasMore() {
        return at < end;
    }

    int getInt() {
        int i = next(Integer.BYTES);
        return ((bytes[i] & 0xFF) << 24)
                | ((bytes[i + 1] & 0xFF) << 16)
                | ((bytes[i + 2] & 0xFF) << 8)
                | (bytes[i + 3] & 0xFF);
    }

    long getLong() {
        long high = getInt();
        return (high << 32) | (getInt() & 0xFFFFFFFFL);
    }

    boolean getBoolean() {
        return bytes[next(1)] != 0;
    }

    byte[] getBytes() {
        int length = getInt();
        if (length == 0) {
            return Deposit.NO_BYTES;
        }
        int from = next(length);
        return Arrays.copyOfRange(bytes, from, at);
    }

    String getText() {
        return new String(getBytes(), UTF_8);
    }

    Limits getLimits() {
        return new Limits(getInt(), getInt(), getInt(), getInt(), getInt(), getInt(), getInt());
    }

    /** Returns where the next bytes are. */
    private int next(int length) {
        if (length < 0 || length > end - at) {
            throw new IndexOutOfBoundsException("length of a field: " + length + " (expected: 0.." + (end - at) + ")");
        }
        int from = at;
        at += length;
        return from;
    }

    /** Returns how many bytes were written, or are left to be read. */
    int length() {
        return end - at;
    }

    /** Appends the bytes that were written, or are left to be read. */
    void copyTo(ByteBuf out) {
        out.writeBytes(bytes, at, length());
    }
}
