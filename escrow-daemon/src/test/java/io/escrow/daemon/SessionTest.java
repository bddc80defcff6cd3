package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Limits;
import io.escrow.OwnedDescriptor;
import io.escrow.SlotInfo;
import io.escrow.Status;
import io.escrow.codec.Frame;
import io.escrow.codec.PacketEnd;
import io.escrow.codec.ProtocolException;
import io.escrow.daemon.config.StoreLimits;
import io.escrow.daemon.events.EventLog;
import io.escrow.daemon.events.FailureDetector;
import io.escrow.daemon.events.SessionRecord;
import io.escrow.daemon.kernel.HangupDetector;
import io.escrow.daemon.kernel.PeerIdentity;
import io.escrow.daemon.store.Store;
import io.escrow.daemon.store.StoredSlot;
import io.escrow.testing.TestFile;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SessionTest {

    private static final Frame HELLO = new Frame.Hello(Frame.VERSION, null);
    private static final Frame OK = new Frame.Reply(Status.OK, "");
    private static final Limits LIMITS = new Limits(4, 64, 256, 4, 8, 2, 0);

    private final Store store = new Store(4, new StoreLimits(3_000, 1_000, 2));
    private final HangupDetector hangups = new HangupDetector();
    private final EmbeddedChannel channel = session();
    private boolean ownConnection;

    @TempDir
    Path directory;

    private TestFile file;

    private EmbeddedChannel session() {
        return new EmbeddedChannel(new Session(
                store,
                LIMITS,
                hangups,
                descriptor -> ownConnection,
                new SessionRecord(new EventLog(), new EmbeddedChannel(), PeerIdentity.UNKNOWN),
                new FailureDetector(),
                () -> false,
                () -> {}));
    }

    @BeforeEach
    void makeFile() throws IOException {
        file = new TestFile(directory, "a");
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        store.close();
        hangups.close();
        assertFalse(channel.finish());
        assertEquals(0, file.openCount());
    }

    @Test
    void answersHelloWithItsLimits() {
        ask(HELLO);

        assertAnswers(Frame.Hello.own(LIMITS, false));
    }

    @Test
    void givesMarkedDescriptorOnlyToClientThatKeepsFlags() throws IOException {
        begin();
        OwnedDescriptor descriptor = file.openOwned();
        ask(new Frame.Add(1, 7, 5, new byte[1], new byte[0], true, descriptor), new Frame.Update(1, 7, new byte[0]));
        assertAnswers(OK, OK);

        ask(new Frame.Get(1, 7), new Frame.Delete(1, 8));

        assertEquals(Status.EOPNOTSUPP, ((Frame.Reply) channel.readOutbound()).status());
        assertEquals(Status.ENOENT, ((Frame.Reply) channel.readOutbound()).status());
        EmbeddedChannel other = session();
        other.writeInbound(new Frame.Hello(Frame.VERSION, true, null), PacketEnd.INSTANCE);
        other.releaseOutbound();
        other.writeInbound(new Frame.Get(1, 7), PacketEnd.INSTANCE);
        Frame.Add answer = other.readOutbound();
        assertTrue(answer.keepFlags());
        assertSame(descriptor, answer.descriptor());
        descriptor.release();
        assertFalse(other.finish());
    }

    @Test
    void refusesOtherVersionAndEnds() {
        ask(new Frame.Hello(2, null));

        assertAnswers(new Frame.Reply(Status.EPROTO, "protocol version: 2 (expected: 1)"));
        assertFalse(channel.isOpen());
    }

    @Test
    void refusesOtherFirstFrameAndEnds() throws IOException {
        ask(new Frame.Add(0, 0, 5, new byte[0], file.openOwned()));

        assertAnswers(new Frame.Reply(Status.EPROTO, "the first frame is not HEL"));
        assertFalse(channel.isOpen());
        assertEquals(0, store.slots());
    }

    @Test
    void carriesOutNothingBehindRefusedHello() throws IOException {
        channel.writeInbound(
                new Frame.Hello(2, null),
                new Frame.Add(0, 0, 5, new byte[0], file.openOwned()),
                new Frame.Add(0, 1, -1, new byte[0], null));

        assertAnswers(new Frame.Reply(Status.EPROTO, "protocol version: 2 (expected: 1)"));
        assertEquals(0, store.slots());
    }

    @Test
    void refusesSecondHelloAndEnds() {
        begin();
        ask(HELLO);

        assertAnswers(
                new Frame.Reply(Status.EPROTO, "a second HEL (expected: one, in the first packet of the session)"));
        assertFalse(channel.isOpen());
    }

    @Test
    void carriesOutRequestsInOrder() {
        begin();
        byte[] payload = {1, 2};
        ask(
                new Frame.Add(1, 7, -1, payload, null),
                new Frame.Tag(1),
                new Frame.Update(1, 7, new byte[5]),
                new Frame.Tag(1),
                new Frame.Delete(1, 7),
                new Frame.Tag(1));

        assertAnswers(OK, new Frame.Info(1, 1, 8, 2), OK, new Frame.Info(1, 1, 8, 5), OK, new Frame.Info(1, 0, 0, 0));
    }

    @Test
    void answersGetWithWhatTheSlotHoldsAndLeavesIt() throws IOException {
        begin();
        OwnedDescriptor descriptor = file.openOwned();
        byte[] payload = {1, 2};
        ask(new Frame.Add(1, 7, 5, payload, descriptor), new Frame.Get(1, 7), new Frame.Get(1, 7));

        assertEquals(OK, channel.readOutbound());
        Frame expected = new Frame.Add(1, 7, 5, payload, descriptor);
        assertAnswers(expected, expected);
        assertEquals(3, descriptor.refCnt());
        descriptor.release(2);
    }

    @Test
    void sendsDescriptorThatIsDeletedInTheSamePacket() throws IOException {
        begin();
        store.add(1, 7, new StoredSlot(5, new byte[0], file.openOwned()));
        ask(new Frame.Get(1, 7), new Frame.Delete(1, 7));

        Frame.Add answer = channel.readOutbound();
        assertAnswers(OK);
        assertTrue(file.is(answer.descriptor()));
        assertTrue(ReferenceCountUtil.release(answer.descriptor()));
    }

    @Test
    void sendsAnswersWhenThePacketEnds() {
        begin();
        channel.writeInbound(new Frame.Tag(0));
        assertNull(channel.readOutbound());

        channel.writeInbound(PacketEnd.INSTANCE);
        assertAnswers(new Frame.Info(0, 0, 0, 0));
    }

    @Test
    void answersBadRequestsAndGoesOn() {
        begin();
        ask(
                new Frame.Get(0, 9),
                new Frame.Delete(4, 0),
                new Frame.Update(0, 9, new byte[1]),
                new Frame.Tag(4),
                new Frame.Invalid(Status.EMSGSIZE, "too long"),
                new Frame.Tag(0));

        assertAnswers(
                new Frame.Reply(Status.ENOENT, "Non-existent index in a GET request: 0/9"),
                new Frame.Reply(Status.EINVAL, "tag: 4 (expected: 0..3)"),
                new Frame.Reply(Status.ENOENT, "Non-existent index in a UPD request: 0/9"),
                new Frame.Reply(Status.EINVAL, "tag: 4 (expected: 0..3)"),
                new Frame.Reply(Status.EMSGSIZE, "too long"),
                new Frame.Info(0, 0, 0, 0));
    }

    @Test
    void closesDescriptorOfRefusedAdd() throws IOException {
        begin();
        ask(
                new Frame.Add(4, 0, 5, new byte[0], file.openOwned()),
                new Frame.Add(0, -1, 5, new byte[0], file.openOwned()),
                new Frame.Add(0, 0, 5, new byte[1001], file.openOwned()));

        assertAnswers(
                new Frame.Reply(Status.EINVAL, "tag: 4 (expected: 0..3)"),
                new Frame.Reply(Status.EINVAL, "index: -1 (expected: 0..2147483647)"),
                new Frame.Reply(Status.ENOSPC, "0 of 1,000 payload bytes held"));
        assertEquals(0, file.openCount());
    }

    @Test
    void refusesConnectionsToItself() throws IOException {
        begin();
        ownConnection = true;
        ask(new Frame.Add(1, 7, 5, new byte[0], file.openOwned()), new Frame.Add(1, 7, 5, new byte[0], null));

        assertAnswers(
                new Frame.Reply(
                        Status.EINVAL,
                        "the descriptor for slot 1/7 is a connection to this escrowd: stored here, it would keep its"
                                + " session open when its client has gone"),
                OK);
        assertEquals(0, file.openCount());
    }

    @Test
    void listsInPages() throws IOException {
        begin();
        for (int i = 0; i < 3; i++) {
            store.add(0, 2 * i, new StoredSlot(-1, new byte[i], null));
        }
        ask(new Frame.ListRequest(0, 0, 2), new Frame.ListRequest(0, 3, 2), new Frame.ListRequest(1, 0, 2));

        assertAnswers(
                new Frame.ListPage(0, 3, List.of(new SlotInfo(0, 0, 0, false), new SlotInfo(0, 2, 1, false))),
                new Frame.ListPage(0, -1, List.of(new SlotInfo(0, 4, 2, false))),
                new Frame.ListPage(1, -1, List.of()));
    }

    @Test
    void endsListingAtTheLastIndexThereIs() throws IOException {
        begin();
        store.add(0, Integer.MAX_VALUE, new StoredSlot(-1, new byte[0], null));
        ask(new Frame.ListRequest(0, 0, 1));

        assertAnswers(new Frame.ListPage(0, -1, List.of(new SlotInfo(0, Integer.MAX_VALUE, 0, false))));
    }

    @Test
    void refusesPagesOfOtherSizes() {
        begin();
        ask(new Frame.ListRequest(0, 0, 0), new Frame.ListRequest(0, 0, 1025), new Frame.ListRequest(0, 0, -1));

        assertAnswers(
                new Frame.Reply(Status.EINVAL, "slots in a page: 0 (expected: 1..1024)"),
                new Frame.Reply(Status.EINVAL, "slots in a page: 1025 (expected: 1..1024)"),
                new Frame.Reply(Status.EINVAL, "slots in a page: -1 (expected: 1..1024)"));
    }

    @Test
    void endsWhenTheStreamCannotBeTrustedAndKeepsTheSlots() throws IOException {
        begin();
        ask(new Frame.Add(0, 0, -1, new byte[0], null));
        channel.pipeline().fireExceptionCaught(new ProtocolException("opcode: 99"));

        assertAnswers(OK, new Frame.Reply(Status.EPROTO, "opcode: 99"));
        assertFalse(channel.isOpen());
        assertEquals(1, store.slots());
    }

    @Test
    void staysWhenTheClientIsGoneSoThatTheRestIsRead() {
        begin();
        channel.pipeline().fireExceptionCaught(new IOException("Broken pipe"));

        assertTrue(channel.isOpen());
    }

    @Test
    void readsNoFurtherWhileItsAnswersAreNotRead() {
        begin();
        setWritable(false);
        ask(new Frame.Tag(0));
        assertFalse(channel.config().isAutoRead());

        setWritable(true);
        assertTrue(channel.config().isAutoRead());
        assertAnswers(new Frame.Info(0, 0, 0, 0));
    }

    private void setWritable(boolean writable) {
        channel.unsafe().outboundBuffer().setUserDefinedWritability(1, writable);
        channel.runPendingTasks();
    }

    private void begin() {
        ask(HELLO);
        channel.releaseOutbound();
    }

    private void ask(Frame... requests) {
        channel.writeInbound((Object[]) requests);
        if (channel.isOpen()) {
            channel.writeInbound(PacketEnd.INSTANCE);
        }
    }

    private void assertAnswers(Frame... expected) {
        for (Frame frame : expected) {
            Frame answer = channel.readOutbound();
            assertEquals(frame, answer);
        }
        assertNull(channel.readOutbound());
    }
}
