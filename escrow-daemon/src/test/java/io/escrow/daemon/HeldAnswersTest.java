package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.ChannelFuture;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayDeque;
import java.util.Queue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HeldAnswersTest {

    private boolean holding = true;
    private final Queue<Runnable> waiting = new ArrayDeque<>();
    private int settled;
    private final HeldAnswers answers = new HeldAnswers(new HeldAnswers.Follower() {
        @Override
        public boolean isHolding() {
            return holding;
        }

        @Override
        public void whenMirrored(Runnable task) {
            waiting.add(task);
        }

        @Override
        public void settle() {
            settled++;
        }
    });
    private final EmbeddedChannel channel = new EmbeddedChannel(answers);

    @AfterEach
    void end() {
        assertFalse(channel.finish());
    }

    private ChannelFuture packet(String... frames) {
        ChannelFuture last = null;
        for (String frame : frames) {
            last = channel.write(frame);
        }
        channel.flush();
        return last;
    }

    @Test
    void answersGoOutAtOnceWithoutAFollower() {
        holding = false;
        packet("1");
        assertEquals("1", channel.readOutbound());
        assertTrue(waiting.isEmpty());
    }

    @Test
    void answersGoOutPacketByPacketInOrder() {
        ChannelFuture first = packet("1", "2");
        ChannelFuture second = packet("3");
        assertFalse(answers.isEmpty());
        assertNull(channel.readOutbound());
        waiting.remove().run();
        assertTrue(first.isSuccess());
        assertFalse(second.isDone());
        assertEquals("1", channel.readOutbound());
        assertEquals("2", channel.readOutbound());
        assertNull(channel.readOutbound());
        waiting.remove().run();
        assertEquals("3", channel.readOutbound());
        assertTrue(answers.isEmpty());
        assertTrue(settled >= 2);
    }

    /** An answer does not overtake one that waits, when the follower has gone. */
    @Test
    void answersWaitBehindThoseThatWait() {
        packet("1");
        holding = false;
        packet("2");
        assertNull(channel.readOutbound());
        waiting.remove().run();
        waiting.remove().run();
        assertEquals("1", channel.readOutbound());
        assertEquals("2", channel.readOutbound());
    }

    @Test
    void nothingIsReadWhileAnswersWait() {
        packet("1");
        packet("2");
        assertFalse(channel.isWritable());
        waiting.remove().run();
        assertFalse(channel.isWritable());
        waiting.remove().run();
        assertTrue(channel.isWritable());
        channel.releaseOutbound();
    }

    @Test
    void answersAreDroppedWithTheConnection() {
        ChannelFuture first = packet("1");
        ChannelFuture second = channel.write("2");
        channel.close();
        assertTrue(first.isDone());
        assertFalse(first.isSuccess());
        assertFalse(second.isSuccess());
        waiting.remove().run();
        assertNull(channel.readOutbound());
        assertTrue(answers.isEmpty());
    }
}
