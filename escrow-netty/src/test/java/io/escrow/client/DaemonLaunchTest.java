package io.escrow.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DaemonLaunchTest {

    @Test
    void hasTheDefaultsOfTheDaemon() {
        DaemonLaunch launch = DaemonLaunch.onDemand();

        assertFalse(launch.replacesDeadSocket());
        assertEquals(0, launch.tags());
        assertNull(launch.from());
    }

    @Test
    void keepsOtherSettingsWhenOneIsSet() {
        Path jar = Path.of("escrowd.jar");
        DaemonLaunch launch = DaemonLaunch.onDemand().from(jar).tags(65_536).replaceDeadSocket(true);

        assertTrue(launch.replacesDeadSocket());
        assertEquals(65_536, launch.tags());
        assertEquals(jar, launch.from());
        assertEquals(1, launch.replaceDeadSocket(false).tags(1).tags());
        assertEquals(65_536, launch.tags(), "immutable");
        assertTrue(launch.replacesDeadSocket(), "immutable");
    }

    @ParameterizedTest
    @ValueSource(ints = {Integer.MIN_VALUE, -1, 0, 65_537})
    void refusesNumberOfTagsOutOfRange(int tags) {
        DaemonLaunch launch = DaemonLaunch.onDemand();

        IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> launch.tags(tags));
        assertEquals("tags: " + tags + " (expected: 1..65536)", e.getMessage());
    }
}
