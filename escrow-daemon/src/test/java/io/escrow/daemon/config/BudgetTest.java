package io.escrow.daemon.config;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.Status;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class BudgetTest {

    private static final long MIB = 1 << 20;
    private static final Budget ROOMY = new Budget(20_000, 2_048 * MIB);

    /** Open files allowed; descriptors in a packet, and held, that this leaves. */
    @ParameterizedTest
    @CsvSource({"69, 1, 3", "300, 59, 118", "576, 128, 256", "1024, 128, 704", "20000, 128, 19680"})
    void keepsReserveOfDescriptors(long openFiles, int packet, int held) throws EscrowException {
        Budget budget = new Budget(openFiles, 1024 * MIB);

        assertEquals(packet, budget.packetDescriptors());
        assertEquals(held, budget.descriptors(packet));
    }

    @Test
    void saysThatTooFewFilesMayBeOpen() {
        EscrowException e = assertThrows(EscrowException.class, () -> new Budget(66, MIB).descriptors(1));

        assertEquals("open files allowed: 66 (expected: > 66; see ulimit -n)", e.text());
        assertEquals(Status.EMFILE, e.status());
    }

    @Test
    void refusesMoreDescriptorsThanMayBeOpen() throws EscrowException {
        Budget budget = new Budget(1_024, 1024 * MIB);
        budget.checkDescriptors(Limits.DEFAULT, new StoreLimits(0, 0, 704));

        EscrowException e = assertThrows(
                EscrowException.class, () -> budget.checkDescriptors(Limits.DEFAULT, new StoreLimits(0, 0, 705)));
        assertEquals(
                "descriptors: 705 (expected: <= 704: of 1024 open files allowed, 320 are kept in reserve; see"
                        + " ulimit -n)",
                e.text());
        assertEquals(Status.EMFILE, e.status());
    }

    /** Whatever the heap, what is allowed by default passes the check of what is asked for. */
    @ParameterizedTest
    @ValueSource(longs = {20, 24, 32, 64, 256, 2_048, 30_720})
    void boundsWhatIsHeldByTheHeap(long mebibytes) throws EscrowException {
        Budget budget = new Budget(20_000, mebibytes * MIB);
        StoreLimits limits = new StoreLimits(budget.slots(), budget.payloadBytes(32_768), 100);

        assertTrue(limits.slots() > 0 && limits.payloadBytes() > 0);
        assertTrue(limits.slots() * 256L + limits.payloadBytes() <= (mebibytes - 16) * MIB * 5 / 8);
        assertDoesNotThrow(() -> budget.check(Limits.DEFAULT, limits));
    }

    @Test
    void countsLargePayloadsTwice() {
        assertEquals(ROOMY.payloadBytes(262_144) / 2, ROOMY.payloadBytes(262_145));
    }

    @Test
    void holdsMillionSlotsAtMostUnlessTold() {
        assertEquals(1_000_000, ROOMY.slots());
        assertEquals(8_192, new Budget(100, 32 * MIB).slots());
    }

    @ParameterizedTest
    @CsvSource({"6300000, 0, 32768", "0, 1600000000, 32768", "0, 800000000, 1000000", "3000000, 900000000, 100"})
    void refusesMoreThanTheHeapHasRoomFor(int slots, long bytes, int payload) {
        Limits limits = new Limits(32, payload, Limits.DEFAULT.packetBytes(), 128, 1024, 2, 0);

        EscrowException e =
                assertThrows(EscrowException.class, () -> ROOMY.check(limits, new StoreLimits(slots, bytes, 0)));
        assertTrue(
                e.text().endsWith("(expected: <= 1,598,029,824, with a heap of 2,147,483,648; see java -Xmx)"),
                e::text);
        assertEquals(Status.EINVAL, e.status());
    }

    @Test
    void allowsSmallPacketsWithFewSlots() {
        Limits limits = new Limits(4, 64, 256, 3, 5, 2, 16);

        assertDoesNotThrow(() -> ROOMY.check(limits, new StoreLimits(12, 300, 6)));
    }

    @Test
    void refusesPacketsTheHeapHasNoRoomFor() {
        Limits limits = new Limits(32, 0, 64 << 20, 128, 1024, 2, 0);
        Budget budget = new Budget(20_000, 128 * MIB);

        assertThrows(EscrowException.class, () -> budget.check(limits, new StoreLimits(0, 0, 0)));
    }
}
