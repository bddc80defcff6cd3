package io.escrow.handover.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class SlotNumbersTest {

    private static final int LAST = Integer.MAX_VALUE;

    private final SlotNumbers numbers = new SlotNumbers();

    @Test
    void ascend() {
        assertEquals(0, numbers.take(1));
        assertEquals(1, numbers.take(3));
        numbers.release(1);
        assertEquals(4, numbers.take(1));
        numbers.skipTo(2);
        assertEquals(5, numbers.take(1));
        numbers.skipTo(9);
        assertEquals(9, numbers.take(1));
    }

    @Test
    void beginAgainAfterTheHighestWithThoseThatAreFree() {
        assertEquals(0, numbers.take(1));
        assertEquals(1, numbers.take(2));
        assertEquals(3, numbers.take(1));
        numbers.release(1);
        numbers.skipTo(LAST);

        assertEquals(1, numbers.left());
        assertEquals(LAST, numbers.take(1));
        assertEquals(0, numbers.left());
        assertEquals(1, numbers.take(1));
        assertEquals(2, numbers.take(1));
        assertEquals(4, numbers.take(1));
    }

    @Test
    void runsDoNotGoBeyondTheHighest() {
        numbers.reserve(5, 1);
        numbers.skipTo(LAST - 1);

        assertEquals(0, numbers.take(3), "the last two are too few");
        assertEquals(6, numbers.take(3), "before 5 are too few");
        assertEquals(9, numbers.take(1));
    }

    @Test
    void whatIsReservedIsNotTaken() {
        numbers.reserve(0, 1);
        numbers.reserve(2, 1);
        numbers.reserve(1, 4);
        numbers.reserve(3, 1);
        numbers.reserve(LAST, 1);

        assertEquals(5, numbers.take(1));
        numbers.skipTo(LAST);
        assertEquals(6, numbers.take(1));
        numbers.release(1);
        numbers.skipTo(LAST);
        assertEquals(1, numbers.take(4));
    }

    @Test
    void manyAtOnceEndWhenNoneAreFree() {
        numbers.reserve(0, LAST);
        assertEquals(LAST, numbers.take(1));
        assertThrows(IllegalStateException.class, () -> numbers.take(1));
    }
}
