package io.escrow.daemon.control;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class OneRequestHandlerTest {

    private static final int SECONDS = 10;

    private final EmbeddedChannel channel = new EmbeddedChannel(new OneRequestHandler(Duration.ofSeconds(SECONDS)));

    @BeforeEach
    void stopTheClock() {
        channel.freezeTime();
    }

    private void pass(int seconds) {
        channel.advanceTimeBy(seconds, TimeUnit.SECONDS);
        channel.runScheduledPendingTasks();
    }

    @Test
    void closesWhoDoesNotAskInTime() {
        pass(SECONDS - 1);
        assertTrue(channel.isOpen());
        pass(2);
        assertFalse(channel.isOpen());
    }

    @Test
    void waitsForTheAnswerToOneRequest() {
        assertTrue(channel.writeInbound("first"));
        ByteBuf second = Unpooled.buffer();
        channel.writeInbound(second);
        pass(2 * SECONDS);

        assertTrue(channel.isOpen());
        assertEquals("first", channel.readInbound());
        assertNull(channel.readInbound());
        assertEquals(0, second.refCnt());
    }
}
