package io.escrow.daemon.config;

import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Set;
import org.junit.jupiter.api.Test;

class AccessTest {

    @Test
    void refusesModesThatShutTheOwnerOut() {
        for (int mode : new int[] {0, 0400, 0200, 066, 01600, -1}) {
            assertThrows(IllegalArgumentException.class, () -> new Access(mode, Set.of(), Set.of()));
        }
    }
}
