package io.escrow.handover.store;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.netty.buffer.Unpooled;

/** Reads the records of channels that somebody else has written into the escrow. */
class RecordFuzzTest {

    @FuzzTest
    void records(byte[] input) {
        tellWhatIsThere(input);
        byte[] encoded;
        try {
            encoded = ChannelRecord.decode(Unpooled.wrappedBuffer(input)).encode();
        } catch (IllegalArgumentException e) {
            return; // refused, as whatever is no record
        }
        assertArrayEquals(
                encoded, ChannelRecord.decode(Unpooled.wrappedBuffer(encoded)).encode());
    }

    /** What is told of a slot is what would be read from it. */
    private static void tellWhatIsThere(byte[] record) {
        byte[] payload = new byte[EscrowTable.HEADER_LENGTH + record.length];
        System.arraycopy(record, 0, payload, EscrowTable.HEADER_LENGTH, record.length);
        HandoverRecord.of(record);
        HandoverRecord.of(payload).ifPresent(told -> {
            ChannelRecord read = ChannelRecord.decode(Unpooled.wrappedBuffer(record));
            assertEquals(read.clean(), told.clean());
            assertEquals(read.sections().keySet(), told.sections().keySet());
            told.sections().forEach((name, size) -> assertEquals(read.sections().get(name).length, size));
        });
    }
}
