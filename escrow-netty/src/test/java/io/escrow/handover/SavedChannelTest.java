package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class SavedChannelTest {

    private static SavedChannel rested(byte[] moment) {
        SavedChannel saved = new SavedChannel("http", true, Map.of(SavedChannel.RESTED, moment));
        return SavedChannel.decode(Unpooled.wrappedBuffer(saved.encode()));
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
        assertNull(new SavedChannel("http", true, Map.of()).restedFor(1_042));
        assertNull(rested(new byte[4]).restedFor(1_042));
    }

    @Test
    void whatIsKeptForACrashHasNoBytesAndIsNotAtRest() {
        byte[] some = new byte[8];
        SavedChannel saved = new SavedChannel(
                "http",
                true,
                Map.of(
                        SavedChannel.RESTED,
                        some,
                        SavedChannel.UNSENT,
                        some,
                        SavedChannel.GATE,
                        some,
                        SavedChannel.UPGRADE,
                        some,
                        SavedChannel.COLLECTED + "decoder",
                        some,
                        SavedChannel.HANDLER + "state",
                        some));
        assertEquals(
                Set.of(SavedChannel.UPGRADE, SavedChannel.HANDLER + "state"),
                saved.withoutBytes().sections().keySet());
    }
}
