package io.escrow.daemon.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class PeerIdentityTest {

    @Test
    void tellsLargeNumbersAsTheyAre() {
        assertEquals("uid 4294967294, gid 5, pid 0", new PeerIdentity(0, -2, 5).toString());
    }
}
