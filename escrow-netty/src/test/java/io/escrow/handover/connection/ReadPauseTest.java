package io.escrow.handover.connection;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.ChannelConfig;
import io.netty.channel.embedded.EmbeddedChannel;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class ReadPauseTest {

    private final ChannelConfig config = new EmbeddedChannel().config();

    @Test
    void readingStopsAndGoesOnAtTheEnd() {
        ReadPause pause = new ReadPause(Duration.ofDays(1));
        pause.begin(config);
        pause.begin(config);
        assertFalse(config.isAutoRead());
        pause.end(config);
        assertTrue(config.isAutoRead());
    }

    @Test
    void readingGoesOnAfterTheLongestTime() {
        ReadPause pause = new ReadPause(Duration.ofNanos(1));
        pause.begin(config);
        assertFalse(config.isAutoRead());
        pause.begin(config);
        assertTrue(config.isAutoRead());
        // For as long again it does not stop: that has passed, too.
        pause.begin(config);
        assertFalse(config.isAutoRead());
    }

    @Test
    void aReaderThatAsksForEachReadIsLeftAlone() {
        config.setAutoRead(false);
        ReadPause pause = new ReadPause(Duration.ofDays(1));
        pause.begin(config);
        pause.end(config);
        assertFalse(config.isAutoRead());
    }
}
