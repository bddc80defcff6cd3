package io.escrow.ctl;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TextTest {

    @ParameterizedTest
    @CsvSource({
        "0, 0.0 s",
        "0.25, 0.3 s",
        "9.94, 9.9 s",
        "10, 10 s",
        "59.4, 59 s",
        "59.9, 59 s",
        "60, 1 min 0 s",
        "3599.9, 59 min 59 s",
        "3600, 1 h 0 min",
        "86399, 23 h 59 min",
        "90000, 1 d 1 h",
        "8640000, 100 d 0 h"
    })
    void writesTimeInItsTwoLargestUnits(double seconds, String text) {
        assertEquals(text, Text.duration(seconds));
    }

    @Test
    void groupsDigits() {
        assertEquals("0", Text.number(0));
        assertEquals("1,000,000", Text.number(1_000_000));
    }

    @Test
    void letsNothingReachTheTerminalThatSteersIt() {
        assertEquals("a?[2Jb?c?d??é", Text.printable("a\u001b[2Jb\nc\u007fd\u009b\u202eé"));
    }
}
