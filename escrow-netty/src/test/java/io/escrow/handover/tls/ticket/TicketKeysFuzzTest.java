package io.escrow.handover.tls.ticket;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.time.Duration;

/** Reads keys of session tickets that somebody else has written into the escrow. */
class TicketKeysFuzzTest {

    private static final long NOW = 1_700_000_000_000L;
    private static final Duration CURRENT = Duration.ofHours(12);
    private static final Duration BEFORE = Duration.ofHours(24);

    @FuzzTest
    void tickets(byte[] input) {
        TicketKeys keys;
        try {
            keys = TicketKeys.decode(input);
        } catch (IllegalArgumentException e) {
            assertFalse(e.getMessage().isEmpty());
            return;
        }
        assertArrayEquals(input, keys.encode());
        assertEquals(keys.size(), keys.derive("context").size());
        // Whatever the times in it are, there is a key of now afterwards, and no more than are kept.
        TicketKeys then = keys.at(NOW, CURRENT, BEFORE);
        assertTrue(then.size() >= 1 && then.size() <= TicketKeys.MAX, "size: " + then.size());
        assertTrue(then.madeMillis() >= NOW - CURRENT.toMillis(), "made: " + then.madeMillis());
        assertTrue(then.madeMillis() <= NOW + CURRENT.toMillis(), "made: " + then.madeMillis());
        assertArrayEquals(then.encode(), TicketKeys.decode(then.encode()).encode());
    }
}
