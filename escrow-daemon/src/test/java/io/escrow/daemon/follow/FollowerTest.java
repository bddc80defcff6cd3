package io.escrow.daemon.follow;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.Status;
import io.escrow.codec.PacketEnd;
import io.escrow.daemon.config.StoreLimits;
import io.escrow.daemon.store.Store;
import io.escrow.daemon.store.StoredSlot;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class FollowerTest {

    private static final LinkHello OWN = LinkHello.own(true, true, "1.0");
    private static final SessionState SESSION = new SessionState(true, true, false, 7, 2_000, -1, Limits.DEFAULT);

    private final Store store = new Store(4, new StoreLimits(3, 100, 0));
    private String refusal;
    private int packets;
    private final Follower follower = new Follower(
            store,
            OWN,
            new PrimaryCheck() {
                @Override
                public void session(SessionState session) throws EscrowException {
                    check();
                }

                @Override
                public void primary(PrimaryLimits limits) throws EscrowException {
                    check();
                }
            },
            () -> packets++);
    private final EmbeddedChannel channel = new EmbeddedChannel(follower);

    private void check() throws EscrowException {
        if (refusal != null) {
            throw new EscrowException(Status.EINVAL, refusal);
        }
    }

    private void packet(LinkFrame... frames) {
        for (LinkFrame frame : frames) {
            channel.writeInbound(frame);
        }
        if (channel.isOpen()) {
            channel.writeInbound(PacketEnd.INSTANCE);
        }
    }

    private void greet() {
        assertEquals(LinkKind.HELLO, ((LinkFrame) channel.readOutbound()).kind());
        packet(LinkHello.own(true, true, "1.1").frame());
    }

    private static LinkFrame slot(int tag, int index, int bytes) {
        return SlotBody.filled(tag, index, new StoredSlot(-1, new byte[bytes], null), Fields.write());
    }

    private static LinkFrame longer(LinkFrame frame) {
        return resized(frame, 9);
    }

    private static LinkFrame resized(LinkFrame frame, int more) {
        int length = frame.body().length() + more;
        ByteBuf bytes = Unpooled.buffer();
        frame.body().copyTo(bytes);
        return LinkFrame.of(frame.kind(), Fields.read(bytes.capacity(length).array(), 0, length));
    }

    @Test
    void fillsItsStoreAndAcknowledges() throws EscrowException {
        greet();
        packet(
                slot(1, 5, 10),
                slot(1, 6, 10),
                LinkFrame.of(LinkKind.EMPTIED, Fields.write().put(1).put(6)));
        packet(LinkFrame.of(
                LinkKind.UPDATED, Fields.write().put(1).put(5).put(new byte[3]).put(new byte[2])));
        assertEquals(3, channel.<LinkFrame>readOutbound().body().getLong());
        assertEquals(4, channel.<LinkFrame>readOutbound().body().getLong());
        assertEquals(1, store.slots());
        assertArrayEquals(new byte[2], store.get(1, 5).farewell());
        assertFalse(follower.synced().isDone());
        assertEquals(3, packets);
        packet(LinkFrame.of(LinkKind.CLEARED), LinkFrame.of(LinkKind.SYNCED));
        assertTrue(follower.synced().isDone());
        assertEquals(0, store.slots());
    }

    /** In step, the primary does not wait for acknowledgements. */
    @Test
    void acknowledgesNowAndThenInStep() throws EscrowException {
        channel.freezeTime();
        greet();
        packet(LinkFrame.of(LinkKind.SYNCED));
        channel.readOutbound();
        packet(slot(1, 5, 10));
        packet(slot(1, 6, 10));
        assertNull(channel.readOutbound());
        channel.advanceTimeBy(1, TimeUnit.SECONDS);
        channel.runScheduledPendingTasks();
        assertEquals(3, channel.<LinkFrame>readOutbound().body().getLong());
        for (int i = 0; i < 511; i++) {
            packet(slot(1, 5, 10));
        }
        assertNull(channel.readOutbound());
        packet(slot(1, 5, 10));
        assertEquals(3 + 512, channel.<LinkFrame>readOutbound().body().getLong());
        channel.advanceTimeBy(1, TimeUnit.SECONDS);
        channel.runScheduledPendingTasks();
        assertNull(channel.readOutbound());
    }

    /** Else a follower that is as fast as it can be would be too far behind. */
    @Test
    void acknowledgesManyBytesAtOnce() {
        channel.freezeTime();
        greet();
        packet(LinkFrame.of(LinkKind.SYNCED));
        channel.readOutbound();
        packet(statistics((1 << 20) - 5));
        assertNull(channel.readOutbound());
        packet(statistics(0));
        assertEquals(3, channel.<LinkFrame>readOutbound().body().getLong());
        packet(statistics(0));
        assertNull(channel.readOutbound());
    }

    private static LinkFrame statistics(int bytes) {
        return LinkFrame.of(LinkKind.STATISTICS, Fields.write().put(new byte[bytes]));
    }

    @Test
    void changesOfSlotsThatComeLaterAreNoMistake() {
        greet();
        packet(
                LinkFrame.of(LinkKind.EMPTIED, Fields.write().put(1).put(6)),
                LinkFrame.of(
                        LinkKind.UPDATED,
                        Fields.write().put(1).put(6).put(new byte[1]).put(new byte[0])));
        assertTrue(channel.isOpen());
    }

    /** What a later version says beyond this one. */
    @Test
    void ignoresWhatItDoesNotKnow() {
        channel.readOutbound();
        packet(longer(new LinkHello(1, 9, -1, "9.0").frame()));
        packet(longer(slot(1, 1, 4)), longer(SESSION.frame(LinkKind.STATE)));
        assertEquals(SESSION, follower.session().state());
        assertEquals("9.0", follower.program());
        assertEquals(1, store.slots());
    }

    @Test
    void takesASessionOfAPrimaryThatKnowsNoBatches() {
        greet();
        SessionState batches = new SessionState(true, true, true, 7, 2_000, -1, Limits.DEFAULT);
        packet(batches.frame(LinkKind.STATE));
        assertEquals(batches, follower.session().state());
        LinkFrame state = batches.frame(LinkKind.STATE);
        packet(resized(state, -1));
        assertEquals(SESSION, follower.session().state());
    }

    @Test
    void refusesALinkOfOtherVersions() {
        channel.readOutbound();
        packet(new LinkHello(2, 3, 0, "9.0").frame());
        fails("versions of the link: escrowd 9.0 speaks 2..3 (expected by escrowd 1.0: 1..1)");
    }

    @Test
    void refusesASessionThatCanNotGoOnHere() {
        greet();
        refusal = "--tags: 4";
        packet(SESSION.frame(LinkKind.SESSION));
        fails("--tags: 4");
    }

    @Test
    void refusesAPrimaryThatMayHoldMore() {
        greet();
        refusal = "--max-slots: 3";
        packet(new PrimaryLimits(Limits.DEFAULT, new StoreLimits(4, 100, 0)).frame());
        fails("--max-slots: 3");
    }

    @Test
    void refusesMoreThanItMayHold() {
        greet();
        packet(slot(1, 1, 101));
        fails("0 of 100 payload bytes held");
        assertTrue(follower.committed().isCompletedExceptionally());
    }

    @Test
    void doesNotServeWithoutTheConnectionOfTheSession() {
        greet();
        packet(SESSION.frame(LinkKind.SESSION), LinkFrame.of(LinkKind.COMMIT));
        fails("the client has gone");
        assertTrue(follower.committed().isCompletedExceptionally());
    }

    @Test
    void wrongFieldsEndTheLink() {
        greet();
        packet(LinkFrame.of(LinkKind.EMPTIED, Fields.read(new byte[5], 0, 5)));
        fails("a frame of kind EMPTIED with wrong fields");
    }

    /** A follower that was never in step has a part of the slots. */
    @Test
    void endOfTheLinkIsNoCommit() {
        greet();
        packet(slot(1, 1, 4));
        channel.close();
        assertTrue(follower.synced().isCompletedExceptionally());
        assertTrue(follower.committed().isCompletedExceptionally());
        assertTrue(follower.closed().isDone());
    }

    private void fails(String text) {
        assertFalse(channel.isOpen());
        LinkFrame last = null;
        for (LinkFrame next = channel.readOutbound(); next != null; next = channel.readOutbound()) {
            last = next.kind() == LinkKind.FAILED ? next : last;
        }
        String told = last.body().getText();
        assertTrue(told.contains(text), told);
        assertEquals(told, follower.reason());
    }
}
