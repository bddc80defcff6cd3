package io.escrow.examples;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class EchoHandlerTest {

    @Test
    void sendsBackWhatItReceives() {
        EmbeddedChannel channel = new EmbeddedChannel(new EchoHandler());
        channel.writeInbound(Unpooled.copiedBuffer("hello", UTF_8));
        assertOutbound("hello", channel);
        assertFalse(channel.finish());
    }

    @Test
    void delayKeepsTheOrder() {
        EmbeddedChannel channel = new EmbeddedChannel(new DelayHandler(10), new EchoHandler());
        channel.freezeTime();
        channel.writeInbound(Unpooled.copiedBuffer("one", UTF_8));
        channel.writeInbound(Unpooled.copiedBuffer("two", UTF_8));
        assertNull(channel.readOutbound());

        channel.advanceTimeBy(10, TimeUnit.MILLISECONDS);
        channel.runScheduledPendingTasks();
        assertOutbound("one", channel);
        assertOutbound("two", channel);
        assertFalse(channel.finish());
    }

    private static void assertOutbound(String expected, EmbeddedChannel channel) {
        ByteBuf out = channel.readOutbound();
        assertEquals(expected, out.toString(UTF_8));
        out.release();
    }
}
