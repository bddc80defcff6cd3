package io.escrow.examples.records;

import io.netty.buffer.ByteBuf;

/**
 * Writes and recognises the records that clients send. Records have a fixed length, and no two are equal.
 *
 * <pre>
 *  magic u32 | connection u32 | transmission u64 | record u64 | pseudo-random content, seeded with the three numbers
 * </pre>
 *
 * A record that is sent again keeps its number, and gets a new number of transmission.
 */
final class NumberedRecord {

    static final int LENGTH = 256;

    private static final int MAGIC = 0x5265634F;
    private static final int CONNECTION_OFFSET = 4;
    private static final int TRANSMISSION_OFFSET = 8;
    private static final int HEADER_LENGTH = 24;

    private NumberedRecord() {}

    static void write(ByteBuf out, int connection, long transmission, long record) {
        out.writeInt(MAGIC).writeInt(connection).writeLong(transmission).writeLong(record);
        long random = mix(mix(mix(connection) ^ transmission) ^ record);
        for (int written = HEADER_LENGTH; written < LENGTH; written += Long.BYTES) {
            random = mix(random);
            out.writeLong(random);
        }
    }

    /** Returns whether the header of a record of a connection starts at an index. The content is not compared. */
    static boolean startsAt(ByteBuf in, int index, int connection) {
        return in.getInt(index) == MAGIC && in.getInt(index + CONNECTION_OFFSET) == connection;
    }

    static long transmissionAt(ByteBuf in, int index) {
        return in.getLong(index + TRANSMISSION_OFFSET);
    }

    /** SplitMix64: one step of the sequence and its finalizer. */
    private static long mix(long seed) {
        long z = seed + 0x9E3779B97F4A7C15L;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
