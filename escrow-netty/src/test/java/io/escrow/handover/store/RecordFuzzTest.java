package io.escrow.handover.store;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.escrow.Status;
import io.netty.buffer.Unpooled;
import java.util.List;

/** Reads the records of channels that somebody else has written into the escrow. */
class RecordFuzzTest {

    @FuzzTest
    void records(byte[] input) {
        tellWhatIsThere(input);
        ChannelRecord read;
        try {
            read = ChannelRecord.decode(Unpooled.wrappedBuffer(input));
        } catch (UnreadableRecordException e) {
            assertEquals(e.isTooNew() ? Status.EOPNOTSUPP : Status.EINVAL, e.status());
            return; // refused, as whatever is no record, or one of a later version
        }
        byte[] encoded = read.encode();
        ChannelRecord again = decode(encoded);
        assertEquals(read.listener(), again.listener());
        assertEquals(read.clean(), again.clean());
        assertEquals(
                List.copyOf(read.sections().keySet()),
                List.copyOf(again.sections().keySet()));
        read.sections().forEach((name, section) -> {
            assertArrayEquals(section.bytes(), again.get(name));
            assertEquals(section.required(), again.sections().get(name).required());
        });
        assertArrayEquals(encoded, again.encode());
    }

    private static ChannelRecord decode(byte[] record) {
        try {
            return ChannelRecord.decode(Unpooled.wrappedBuffer(record));
        } catch (UnreadableRecordException e) {
            throw new AssertionError("what was read before is refused", e);
        }
    }

    /** What is told of a slot is what would be read from it. */
    private static void tellWhatIsThere(byte[] record) {
        byte[] payload = new byte[EscrowTable.HEADER_LENGTH + record.length];
        System.arraycopy(record, 0, payload, EscrowTable.HEADER_LENGTH, record.length);
        HandoverRecord.of(record);
        HandoverRecord.of(payload).ifPresent(told -> {
            if (told.isReadable()) {
                ChannelRecord read = decode(record);
                assertEquals(read.clean(), told.clean());
                assertEquals(read.sections().keySet(), told.sections().keySet());
                told.sections().forEach((name, size) -> assertEquals(read.get(name).length, size));
                read.sections()
                        .forEach((name, section) ->
                                assertEquals(section.required(), told.required().contains(name)));
            } else {
                UnreadableRecordException refused = assertThrows(
                        UnreadableRecordException.class, () -> ChannelRecord.decode(Unpooled.wrappedBuffer(record)));
                assertEquals(refused.lowest(), told.lowest());
                assertEquals(refused.version(), told.version());
            }
        });
    }
}
