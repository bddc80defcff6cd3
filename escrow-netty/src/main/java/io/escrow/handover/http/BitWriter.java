package io.escrow.handover.http;

import java.io.ByteArrayOutputStream;

/** Writes bits as a deflated stream has them (RFC 1951, section 3.1.1). */
final class BitWriter {

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private int current;
    private int used;

    /** Writes a number, its lowest bit first. */
    void write(int value, int count) {
        for (int i = 0; i < count; i++) {
            writeBit(value >> i & 1);
        }
    }

    /** Writes a Huffman code, its highest bit first. */
    void writeCode(int code, int count) {
        for (int i = count - 1; i >= 0; i--) {
            writeBit(code >> i & 1);
        }
    }

    private void writeBit(int bit) {
        current |= bit << used++;
        if (used == Byte.SIZE) {
            bytes.write(current);
            current = 0;
            used = 0;
        }
    }

    /** Returns what was written, filled up with zeros to whole bytes. */
    byte[] toByteArray() {
        while (used != 0) {
            writeBit(0);
        }
        return bytes.toByteArray();
    }
}
