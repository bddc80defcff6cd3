package io.escrow;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class StatusTest {

    /** As in {@code errno(3)} on Linux, and in PROTOCOL.md. */
    @ParameterizedTest
    @CsvSource({"OK,0", "ENOENT,2", "EBADF,9", "EINVAL,22", "EMFILE,24", "ENOSPC,28", "EPROTO,71", "EMSGSIZE,90"})
    void isNumberedAsOnTheWire(Status status, int errno) {
        assertEquals(errno, status.errno());
    }

    @ParameterizedTest
    @EnumSource
    void isFoundByItsNumber(Status status) {
        assertEquals(status, Status.of(status.errno()));
    }

    @ParameterizedTest
    @ValueSource(ints = {-2, 1, 4095, Integer.MIN_VALUE})
    void takesUnknownNumberForProtocolError(int errno) {
        assertEquals(Status.EPROTO, Status.of(errno));
    }

    @Test
    void hasNoNumberTwice() {
        assertEquals(
                Status.values().length,
                Arrays.stream(Status.values())
                        .mapToInt(Status::errno)
                        .distinct()
                        .count());
    }
}
