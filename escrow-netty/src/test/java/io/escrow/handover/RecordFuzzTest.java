package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.netty.buffer.Unpooled;

/** Reads the records of channels that somebody else has written into the escrow. */
class RecordFuzzTest {

    @FuzzTest
    void records(byte[] input) {
        byte[] encoded;
        try {
            encoded = SavedChannel.decode(Unpooled.wrappedBuffer(input)).encode();
        } catch (IllegalArgumentException e) {
            return; // refused, as whatever is no record
        }
        assertArrayEquals(
                encoded, SavedChannel.decode(Unpooled.wrappedBuffer(encoded)).encode());
    }
}
