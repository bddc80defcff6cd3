package io.escrow.handover.tls.source;

import io.netty.buffer.ByteBuf;

/**
 * Follows the records in what is written, by their headers alone. Buffers may be cut anywhere. A record is copied only if the
 * one who counts asks for it.
 */
final class RecordStream {

    /** The bytes of the header of a record: its type, its version, and how many bytes follow. */
    static final int HEADER = 5;

    /** Where in it the length is. */
    static final int LENGTH_AT = 3;

    /** Counts records. */
    interface Counter {

        /**
         * Asks when a record begins.
         *
         * @return whether its bytes are to be given to {@link #copied}
         */
        boolean begin(int type, int length);

        /** Takes the bytes of a record, its header included, when it is complete. */
        void copied(byte[] record);
    }

    private final Counter counter;
    private final byte[] header = new byte[HEADER];
    private int headerBytes;
    private int left;
    private byte[] copy;

    RecordStream(Counter counter) {
        this.counter = counter;
    }

    /** Returns whether the last record is complete. */
    boolean isBetweenRecords() {
        return left == 0 && headerBytes == 0;
    }

    /** Looks at the bytes of a buffer, which is not changed. */
    void add(ByteBuf buf) {
        int at = buf.readerIndex();
        int end = buf.writerIndex();
        while (at < end) {
            if (left == 0) {
                at = addHeader(buf, at, end);
                continue;
            }
            int part = Math.min(left, end - at);
            if (copy != null) {
                buf.getBytes(at, copy, copy.length - left, part);
            }
            at += part;
            left -= part;
            if (left == 0 && copy != null) {
                byte[] record = copy;
                copy = null;
                counter.copied(record);
            }
        }
    }

    private int addHeader(ByteBuf buf, int at, int end) {
        if (headerBytes == 0 && end - at >= HEADER) {
            begin(buf, at, buf.getUnsignedByte(at), buf.getUnsignedShort(at + LENGTH_AT));
            return at + HEADER;
        }
        int part = Math.min(HEADER - headerBytes, end - at);
        buf.getBytes(at, header, headerBytes, part);
        headerBytes += part;
        if (headerBytes == HEADER) {
            headerBytes = 0;
            int length = (header[LENGTH_AT] & 0xff) << 8 | (header[LENGTH_AT + 1] & 0xff);
            begin(null, 0, header[0] & 0xff, length);
        }
        return at + part;
    }

    private void begin(ByteBuf buf, int at, int type, int length) {
        left = length;
        if (!counter.begin(type, length)) {
            return;
        }
        byte[] record = new byte[HEADER + length];
        if (buf != null) {
            buf.getBytes(at, record, 0, HEADER);
        } else {
            System.arraycopy(header, 0, record, 0, HEADER);
        }
        if (length == 0) {
            counter.copied(record);
        } else {
            copy = record;
        }
    }
}
