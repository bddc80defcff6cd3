package io.escrow.client;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.embedded.EmbeddedChannel;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class OpenSessionsTest {

    private static final Path PATH = Path.of("open-sessions-test");

    @Test
    void countsSessionsUntilTheyAreClosed() {
        EmbeddedChannel first = new EmbeddedChannel();
        EmbeddedChannel second = new EmbeddedChannel();
        assertFalse(OpenSessions.exists(PATH));

        OpenSessions.add(PATH, first);
        OpenSessions.add(PATH, second);
        first.close();
        assertTrue(OpenSessions.exists(PATH));
        assertFalse(OpenSessions.exists(Path.of("another")));

        second.close();
        assertFalse(OpenSessions.exists(PATH));
    }
}
