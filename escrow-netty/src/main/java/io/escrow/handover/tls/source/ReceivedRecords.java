package io.escrow.handover.tls.source;

import io.escrow.handover.tls.record.ContentType;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;

/**
 * Follows the records in what is read, by their headers alone. Buffers may be cut anywhere. Keeps the bytes of a record that has come
 * in part: as a slice of what was read if they came at once, so that nothing is copied when the next read brings the rest.
 */
final class ReceivedRecords {

    /** What is behind the header of a record, at most: RFC 5246, 6.2.3. */
    private static final int MAX_LENGTH = (1 << 14) + 2048;

    private static final byte[] NOTHING = {};

    /** The bytes of a record whose end has not come, or {@code null}. */
    private ByteBuf part;

    private int count;
    private int length;

    /**
     * Looks for the ends of records in a buffer that continues what has come.
     *
     * @param max how many to find at most
     * @return whether it is TLS
     */
    boolean scan(ByteBuf buf, int max) {
        int start = buf.readerIndex();
        int end = buf.writerIndex();
        int at = start;
        count = 0;
        length = 0;
        if (part != null) {
            int before = part.readableBytes();
            if (before + end - start < RecordStream.HEADER) {
                return true;
            }
            int behind = byteAt(buf, RecordStream.LENGTH_AT) << 8 | byteAt(buf, RecordStream.LENGTH_AT + 1);
            if (!isRecord(byteAt(buf, 0), behind)) {
                return false;
            }
            at += RecordStream.HEADER + behind - before;
            if (at > end) {
                return true;
            }
            count = 1;
        }
        while (count < max && end - at >= RecordStream.HEADER) {
            int behind = buf.getUnsignedShort(at + RecordStream.LENGTH_AT);
            if (!isRecord(buf.getUnsignedByte(at), behind)) {
                return false;
            }
            int next = at + RecordStream.HEADER + behind;
            if (next > end) {
                break;
            }
            at = next;
            count++;
        }
        length = at - start;
        return true;
    }

    /** Returns a byte of the record that has come in part, and goes on in a buffer. */
    private int byteAt(ByteBuf buf, int index) {
        int before = part.readableBytes();
        return index < before
                ? part.getUnsignedByte(part.readerIndex() + index)
                : buf.getUnsignedByte(buf.readerIndex() + index - before);
    }

    private static boolean isRecord(int type, int length) {
        return type >= ContentType.CHANGE_CIPHER_SPEC && type <= ContentType.APPLICATION_DATA && length <= MAX_LENGTH;
    }

    /** Returns how many records end in the buffer that was looked at. */
    int count() {
        return count;
    }

    /** Returns how many bytes of that buffer are of these. */
    int length() {
        return length;
    }

    /**
     * Goes on behind a buffer: what is in it behind the records that end in it, is kept.
     *
     * @param buf the one that was looked at, or its beginning, as far as records end in it
     * @return what has come of the first of these records before, to be released by the caller; {@code null} if nothing, or if
     *     none ends
     */
    ByteBuf advance(ByteBuf buf, ByteBufAllocator alloc) {
        ByteBuf before = part;
        int left = buf.readableBytes() - length;
        if (count > 0 || before == null) {
            part = left == 0 ? null : buf.retainedSlice(buf.readerIndex() + length, left);
            return before;
        }
        if (before.maxWritableBytes() < left) {
            // Else many small reads would each hold a buffer.
            part = alloc.buffer(before.readableBytes() + left).writeBytes(before);
            before.release();
        }
        part.writeBytes(buf, buf.readerIndex(), left);
        return null;
    }

    /** Returns the bytes of records: what {@link #advance} has returned, and a part of the buffer. */
    static byte[] copy(ByteBuf before, ByteBuf buf, int from, int length) {
        int first = before == null ? 0 : before.readableBytes();
        byte[] bytes = new byte[first + length];
        if (before != null) {
            before.getBytes(before.readerIndex(), bytes, 0, first);
        }
        buf.getBytes(from, bytes, first, length);
        return bytes;
    }

    /** Returns a copy of what has come of a record. */
    byte[] part() {
        return part == null ? NOTHING : ByteBufUtil.getBytes(part);
    }

    /** Returns whether nothing has come of a record whose end has not. */
    boolean isEmpty() {
        return part == null;
    }

    void release() {
        if (part != null) {
            part.release();
            part = null;
        }
    }
}
