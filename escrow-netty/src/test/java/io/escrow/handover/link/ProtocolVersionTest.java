package io.escrow.handover.link;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ProtocolVersionTest {

    @Test
    void bytesAreThoseOfTheSpecification() {
        assertArrayEquals(new byte[] {1, 2, 0, 0, 0, 0, 0, 0, 0, 0}, ProtocolVersion.OWN.encode());
        assertArrayEquals(
                new byte[] {(byte) 200, (byte) 255, 1, 0, 0, 0, 0, 0, 0, 2},
                new ProtocolVersion(200, 255, 1L << 56 | 2).encode());
    }

    @Test
    void readsWhatItWrites() {
        ProtocolVersion version = new ProtocolVersion(200, 255, -3);
        assertEquals(version, ProtocolVersion.decode(ByteBuffer.wrap(version.encode())));
    }

    @Test
    void ignoresWhatALaterVersionAdds() {
        byte[] longer = {2, 3, 0, 0, 0, 0, 0, 0, 0, 1, 42, 43};
        assertEquals(new ProtocolVersion(2, 3, 1), ProtocolVersion.decode(ByteBuffer.wrap(longer)));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 9})
    void whoSendsNoVersionIsVersion1(int length) {
        assertEquals(new ProtocolVersion(1, 1, 0), ProtocolVersion.decode(ByteBuffer.wrap(new byte[length])));
    }

    @ParameterizedTest
    @CsvSource({"1, 1, true", "1, 2, true", "2, 2, true", "1, 3, true", "2, 3, true", "3, 3, false", "0, 0, false"})
    void fitsWhatKnowsWhatIsNeeded(int lowest, int version, boolean fits) {
        ProtocolVersion other = new ProtocolVersion(lowest, version, 0);
        assertEquals(fits, ProtocolVersion.OWN.fits(other));
        assertEquals(fits, other.fits(ProtocolVersion.OWN), "both sides decide the same");
    }

    @Test
    void featuresDoNotMatter() {
        assertTrue(ProtocolVersion.OWN.fits(new ProtocolVersion(1, 2, -1)));
        assertFalse(ProtocolVersion.OWN.fits(new ProtocolVersion(3, 4, 0)));
    }
}
