package io.escrow.handover.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Status;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ChannelRecordTest {

    private static final String HTTP = ChannelRecord.PROTOCOL + "http";

    private static ChannelRecord rested(byte[] moment) throws UnreadableRecordException {
        ChannelRecord saved = ChannelRecord.builder("http", true)
                .put(ChannelRecord.RESTED, moment)
                .build();
        return ChannelRecord.decode(Unpooled.wrappedBuffer(saved.encode()));
    }

    private static byte[] millis(long millis) {
        return ByteBuffer.allocate(Long.BYTES).putLong(millis).array();
    }

    @Test
    void tellsHowLongAConnectionHasBeenAtRest() throws Exception {
        assertEquals(Duration.ofMillis(42), rested(millis(1_000)).restedFor(1_042));
    }

    @Test
    void theClockMayHaveBeenSetBack() throws Exception {
        assertEquals(Duration.ZERO, rested(millis(1_000)).restedFor(999));
    }

    @Test
    void olderRecordsDoNotTellWhenTheyCameToRest() throws Exception {
        assertNull(new ChannelRecord("http", true, Map.of()).restedFor(1_042));
        assertNull(rested(new byte[4]).restedFor(1_042));
    }

    @Test
    void whatIsKeptForACrashHasNoBytesAndIsNotAtRest() {
        byte[] some = new byte[8];
        ChannelRecord saved = ChannelRecord.builder("http", true)
                .put(ChannelRecord.RESTED, some)
                .put(ChannelRecord.UNSENT, some)
                .put(ChannelRecord.GATE, some)
                .put(HTTP, some)
                .put(ChannelRecord.COLLECTED + "decoder", some)
                .putHandler("state", some, false)
                .put("of a later version", some)
                .mark(ChannelRecord.OUTPUT_SHUT)
                .mark(ChannelRecord.INHERITED)
                .farewell(some)
                .build();
        ChannelRecord kept = saved.withoutBytes();
        assertEquals(
                Set.of(HTTP, ChannelRecord.HANDLER + "state", ChannelRecord.OUTPUT_SHUT, ChannelRecord.INHERITED),
                kept.sections().keySet());
        assertFalse(kept.clean());
        assertEquals(0, kept.farewell().length);
    }

    @Test
    void sectionsAreFoundByNameAndByPrefix() {
        byte[] one = {1};
        byte[] two = {2};
        ChannelRecord record = ChannelRecord.builder("http", true)
                .putHandler("b", one, false)
                .put(ChannelRecord.GATE, one)
                .putHandler("a", two, true)
                .put(ChannelRecord.UNSENT, new byte[0])
                .mark(ChannelRecord.OUTPUT_SHUT)
                .build();
        assertSame(one, record.get(ChannelRecord.GATE));
        assertNull(record.get(ChannelRecord.UNSENT), "nothing is stored of what has no bytes");
        assertEquals(0, record.get(ChannelRecord.OUTPUT_SHUT).length);
        assertTrue(record.has(ChannelRecord.OUTPUT_SHUT));
        assertFalse(record.has(ChannelRecord.UNSENT));
        assertEquals(
                List.of("b", "a"),
                List.copyOf(record.withPrefix(ChannelRecord.HANDLER).keySet()));
        assertSame(two, record.withPrefix(ChannelRecord.HANDLER).get("a"));
    }

    @Test
    void whatIsRequiredAndNotKnownIsNamed() {
        byte[] some = {1};
        ChannelRecord record = ChannelRecord.builder("http", true)
                .put(ChannelRecord.RESTED, some)
                .put(ChannelRecord.UNSENT, some)
                .put(ChannelRecord.GATE, some)
                .mark(ChannelRecord.OUTPUT_SHUT)
                .put(HTTP, some)
                .putHandler("kept", some, true)
                .putHandler("forgotten", some, false)
                .put(ChannelRecord.COLLECTED + "decoder", some)
                .build();
        assertEquals(
                List.of(HTTP, "handler:kept", "collected:decoder"),
                record.unknownRequired(name -> false),
                "in their order");
        assertEquals(List.of("handler:kept"), record.unknownRequired(name -> !name.startsWith(ChannelRecord.HANDLER)));
        assertEquals(List.of(), record.unknownRequired(name -> true));
    }

    @Test
    void namesHaveTheirBound() throws Exception {
        String longest = "n".repeat(65_535);
        ChannelRecord record = new ChannelRecord(longest, true, Map.of());
        assertEquals(
                longest,
                ChannelRecord.decode(Unpooled.wrappedBuffer(record.encode())).listener());
        ChannelRecord tooLong = new ChannelRecord(longest + "n", true, Map.of());
        IllegalArgumentException refused = assertThrows(IllegalArgumentException.class, tooLong::encode);
        assertEquals("length of a name in a record: 65536 bytes (expected: at most 65535)", refused.getMessage());
    }

    @Test
    void whatIsNoRecordIsSaidToBeNone() {
        assertNoRecord("cut off after 0 bytes");
        assertNoRecord("lowest version is 0 (expected: 1 to its version, 2)", 0, 2, 1);
        assertNoRecord("lowest version is 2 (expected: 1 to its version, 1)", 2, 1, 1);
        assertNoRecord("byte 1 is 2 (expected: 0 or 1)", 1, 2);
        assertNoRecord("cut off after 4 bytes", 2, 2, 1, 0);
        assertNoRecord("a name in it is no UTF-8", 2, 2, 1, 0, 1, 0xC3, 0, 0);
        assertNoRecord(
                "section 0 has -1 bytes (expected: 0 to 0)", 2, 2, 1, 0, 0, 0, 1, 0, 1, 'a', 0, 0xFF, 0xFF, 0xFF, 0xFF);
        assertNoRecord("section 0 has 2 bytes (expected: 0 to 1)", 2, 2, 1, 0, 0, 0, 1, 0, 1, 'a', 0, 0, 0, 0, 2, 7);
        assertNoRecord("it goes on after the last of 0 sections", 2, 2, 1, 0, 0, 0, 0, 7);
    }

    private static void assertNoRecord(String reason, int... values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            bytes[i] = (byte) values[i];
        }
        UnreadableRecordException refused = assertThrows(
                UnreadableRecordException.class, () -> ChannelRecord.decode(Unpooled.wrappedBuffer(bytes)));
        assertEquals(Status.EINVAL, refused.status());
        assertFalse(refused.isTooNew());
        assertTrue(refused.text().startsWith("not the record of a channel: "), refused.text());
        assertTrue(refused.text().endsWith(reason), refused.text());
    }
}
