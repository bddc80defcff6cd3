package io.escrow.daemon.follow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Limits;
import io.escrow.codec.PacketEnd;
import io.escrow.daemon.config.StandbyOptions;
import io.escrow.daemon.events.FailureDetector;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.unix.FileDescriptor;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import org.junit.jupiter.api.Test;

class FrameQueueTest {

    private static final long BEHIND = 1 << 20;
    private static final int DESCRIPTORS = 5;

    /** Behind what was flushed: the end of it, which is not written until a test makes room in the socket's buffer. */
    private final Queue<ChannelPromise> unwritten = new ArrayDeque<>();

    private int frames;

    /** A turn of its event loop ends when a test says so. */
    private static final class TurnChannel extends EmbeddedChannel {
        private boolean turn;

        TurnChannel(ChannelOutboundHandlerAdapter handler) {
            super(handler);
            turn = true;
        }

        @Override
        public void runPendingTasks() {
            if (!turn) {
                super.runPendingTasks();
            }
        }

        void endTurn() {
            turn = false;
            runPendingTasks();
            turn = true;
        }
    }

    private final TurnChannel channel = new TurnChannel(new ChannelOutboundHandlerAdapter() {
        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            if (msg == PacketEnd.INSTANCE) {
                unwritten.add(promise);
            } else {
                frames++;
            }
        }
    });
    private final List<String> ran = new ArrayList<>();
    private final FrameQueue queue =
            new FrameQueue(channel, new FailureDetector(), BEHIND, DESCRIPTORS, () -> ran.add("all"));

    private static Fields bytes(int length) {
        return Fields.read(new byte[length], 0, length);
    }

    private void write() {
        unwritten.remove().setSuccess();
    }

    @Test
    void tasksRunInOrderWhenTheirFramesAreWritten() {
        queue.send(LinkFrame.of(LinkKind.CLEARED));
        queue.send(LinkFrame.of(LinkKind.CLEARED));
        queue.whenWritten(() -> ran.add("1"));
        queue.send(LinkFrame.of(LinkKind.CLEARED));
        queue.whenWritten(() -> ran.add("2"));
        queue.whenWritten(() -> ran.add("3"));
        assertEquals(3, frames);
        assertEquals(List.of(), ran);
        write();
        assertEquals(List.of("1"), ran);
        assertFalse(queue.isAllWritten());
        write();
        assertEquals(List.of("1", "2", "3", "all"), ran);
        assertTrue(queue.isAllWritten());
    }

    @Test
    void aTaskRunsAtOnceWhenNothingIsUnwritten() {
        queue.whenWritten(() -> ran.add("1"));
        assertEquals(List.of("1"), ran);
    }

    @Test
    void framesAreFlushedAtTheEndOfTheTurn() {
        queue.send(LinkFrame.of(LinkKind.CLEARED));
        queue.send(LinkFrame.of(LinkKind.CLEARED));
        assertEquals(2, frames);
        assertTrue(unwritten.isEmpty());
        channel.endTurn();
        assertEquals(1, unwritten.size());
        channel.endTurn();
        queue.flush();
        assertEquals(1, unwritten.size(), "nothing was sent since");
    }

    @Test
    void knowsHowFarTheFollowerIsBehind() {
        queue.send(LinkFrame.of(LinkKind.EMPTIED, bytes(8)));
        queue.send(LinkFrame.of(LinkKind.EMPTIED, bytes(9)));
        queue.flush();
        write();
        assertEquals(2, queue.framesBehind());
        assertEquals(17, queue.bytesBehind());
        queue.acknowledged(1);
        assertEquals(1, queue.acknowledged());
        assertEquals(1, queue.framesBehind());
        assertEquals(17, queue.bytesBehind(), "bytes of frames that went out together");
        queue.send(LinkFrame.of(LinkKind.EMPTIED, bytes(5)));
        assertEquals(22, queue.bytesBehind());
        queue.flush();
        queue.acknowledged(2);
        assertEquals(5, queue.bytesBehind());
        queue.acknowledged(99);
        assertEquals(0, queue.framesBehind());
        assertEquals(0, queue.bytesBehind());
    }

    private void sendDescriptors(int count) {
        for (int i = 0; i < count; i++) {
            queue.send(new LinkFrame(LinkKind.SLOT, Fields.write(0), false, new FileDescriptor(0)));
        }
    }

    /** A follower that is stopped leaves them in its socket, and then nobody else could send one. */
    @Test
    void boundsTheDescriptorsUnderWay() {
        sendDescriptors(2);
        queue.flush();
        sendDescriptors(3);
        queue.flush();
        assertEquals(2, unwritten.size());
        sendDescriptors(1);
        queue.whenWritten(() -> ran.add("1"));
        assertEquals(2, unwritten.size(), "descriptors under way: 6");
        write();
        write();
        assertEquals(List.of(), ran);
        queue.acknowledged(1);
        assertEquals(0, unwritten.size(), "a part of what went out together");
        queue.acknowledged(2);
        write();
        assertEquals(List.of("1", "all"), ran);
    }

    /** A packet of a client may have more than may be under way. */
    @Test
    void moreDescriptorsGoOutAlone() {
        sendDescriptors(DESCRIPTORS + 1);
        queue.flush();
        assertEquals(1, unwritten.size());
        sendDescriptors(1);
        queue.flush();
        assertEquals(1, unwritten.size());
        queue.acknowledged(DESCRIPTORS + 1);
        assertEquals(2, unwritten.size());
    }

    @Test
    void otherFramesPassWhenNoMoreDescriptorsMay() {
        sendDescriptors(DESCRIPTORS);
        queue.flush();
        queue.send(LinkFrame.of(LinkKind.CLEARED));
        queue.flush();
        assertEquals(2, unwritten.size());
    }

    @Test
    void isTooFarBehindAtItsBound() {
        for (int i = 0; i < 512; i++) {
            queue.send(LinkFrame.of(LinkKind.CLEARED));
        }
        assertFalse(queue.isTooFarBehind());
        queue.send(LinkFrame.of(LinkKind.CLEARED));
        assertTrue(queue.isTooFarBehind());
    }

    @Test
    void isTooFarBehindAtItsBoundOfBytes() {
        queue.send(LinkFrame.of(LinkKind.EMPTIED, bytes((int) BEHIND)));
        assertFalse(queue.isTooFarBehind());
        queue.send(LinkFrame.of(LinkKind.EMPTIED, bytes(1)));
        assertTrue(queue.isTooFarBehind());
    }

    /** Two packets of the largest number of changes, or of bytes, and what is not acknowledged yet. */
    @Test
    void aFollowerMayBeTwoPacketsBehind() {
        long rest = 3 << 20;
        assertEquals(2 * 1024 * 2048 + rest, FrameQueue.leastBehind(Limits.DEFAULT));
        assertEquals((32 << 20) + rest, FrameQueue.leastBehind(new Limits(1, 0, 16 << 20, 1, 1, 1, 0)));
        assertTrue(StandbyOptions.DEFAULT.behind() > FrameQueue.leastBehind(Limits.DEFAULT));
    }

    /** When the follower is left behind, all that waits goes on; when everything is left to it, nothing does. */
    @Test
    void waitersRunOrAreDroppedAtTheEnd() {
        queue.send(LinkFrame.of(LinkKind.CLEARED));
        queue.whenWritten(() -> ran.add("1"));
        queue.close();
        queue.send(LinkFrame.of(LinkKind.CLEARED));
        assertEquals(1, queue.sent());
        queue.runWaiters();
        assertEquals(List.of("1"), ran);
        queue.whenWritten(() -> ran.add("2"));
        queue.dropWaiters();
        write();
        assertEquals(List.of("1", "all"), ran);
    }
}
