package io.escrow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LimitsTest {

    private static final int MIB = 1024 * 1024;

    @Test
    void acceptsEveryBound() {
        assertEquals(64, new Limits(1, 0, 64, 1, 1, 1, 0).packetBytes());
        assertEquals(65_536, new Limits(65_536, 16 * MIB, 64 * MIB, 1024, 65_536, 64, 0).tags());
        assertEquals(65_536, new Limits(1, 0, 65_600, 1, 1, 1, 65_536).farewell());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            0     | 64       | 256      | 4    | 3     | 2  | tags: 0 (expected: 1..65536)
            65537 | 64       | 256      | 4    | 3     | 2  | tags: 65537 (expected: 1..65536)
            32    | -1       | 256      | 4    | 3     | 2  | payload: -1 (expected: 0..16777216)
            32    | 16777217 | 67108864 | 4    | 3     | 2  | payload: 16777217 (expected: 0..16777216)
            32    | 64       | 127      | 4    | 3     | 2  | packet bytes: 127 (expected: 128..67108864)
            32    | 64       | 67108865 | 4    | 3     | 2  | packet bytes: 67108865 (expected: 128..67108864)
            32    | 64       | 256      | 0    | 3     | 2  | descriptors in a packet: 0 (expected: 1..1024)
            32    | 64       | 256      | 1025 | 3     | 2  | descriptors in a packet: 1025 (expected: 1..1024)
            32    | 64       | 256      | 4    | 0     | 2  | frames in a packet: 0 (expected: 1..65536)
            32    | 64       | 256      | 4    | 65537 | 2  | frames in a packet: 65537 (expected: 1..65536)
            32    | 64       | 256      | 4    | 3     | 0  | packets in flight: 0 (expected: 1..64)
            32    | 64       | 256      | 4    | 3     | 65 | packets in flight: 65 (expected: 1..64)
            """)
    void namesValueAndBound(int tags, int payload, int bytes, int descriptors, int frames, int inFlight, String text) {
        Exception e = assertThrows(
                IllegalArgumentException.class,
                () -> new Limits(tags, payload, bytes, descriptors, frames, inFlight, 0));
        assertEquals(text, e.getMessage());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            -1    | 256   | farewell: -1 (expected: 0..65536)
            65537 | 65700 | farewell: 65537 (expected: 0..65536)
            8     | 135   | packet bytes: 135 (expected: 136..67108864)
            """)
    void namesFarewellAndBound(int farewell, int packetBytes, String text) {
        Exception e =
                assertThrows(IllegalArgumentException.class, () -> new Limits(32, 64, packetBytes, 4, 3, 2, farewell));
        assertEquals(text, e.getMessage());
    }
}
