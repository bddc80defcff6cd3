package io.escrow.handover.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ChannelRecordTest {

    private static ChannelRecord rested(byte[] moment) {
        ChannelRecord saved = new ChannelRecord("http", true, Map.of(ChannelRecord.RESTED, moment));
        return ChannelRecord.decode(Unpooled.wrappedBuffer(saved.encode()));
    }

    private static byte[] millis(long millis) {
        return ByteBuffer.allocate(Long.BYTES).putLong(millis).array();
    }

    @Test
    void tellsHowLongAConnectionHasBeenAtRest() {
        assertEquals(Duration.ofMillis(42), rested(millis(1_000)).restedFor(1_042));
    }

    @Test
    void theClockMayHaveBeenSetBack() {
        assertEquals(Duration.ZERO, rested(millis(1_000)).restedFor(999));
    }

    @Test
    void olderRecordsDoNotTellWhenTheyCameToRest() {
        assertNull(new ChannelRecord("http", true, Map.of()).restedFor(1_042));
        assertNull(rested(new byte[4]).restedFor(1_042));
    }

    @Test
    void whatIsKeptForACrashHasNoBytesAndIsNotAtRest() {
        byte[] some = new byte[8];
        ChannelRecord saved = new ChannelRecord(
                "http",
                true,
                Map.of(
                        ChannelRecord.RESTED,
                        some,
                        ChannelRecord.UNSENT,
                        some,
                        ChannelRecord.GATE,
                        some,
                        ChannelRecord.UPGRADE,
                        some,
                        ChannelRecord.COLLECTED + "decoder",
                        some,
                        ChannelRecord.HANDLER + "state",
                        some));
        assertEquals(
                Set.of(ChannelRecord.UPGRADE, ChannelRecord.HANDLER + "state"),
                saved.withoutBytes().sections().keySet());
    }
}
