package io.escrow.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.BulkResult;
import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.EscrowConnectionException;
import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.OwnedDescriptor;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.TagInfo;
import io.escrow.codec.Frame;
import io.escrow.codec.PacketEnd;
import io.escrow.testing.TestFile;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Asks through a client, plays the daemon by hand, and looks at the packets that would be sent. */
class RequestHandlerTest {

    private static final Frame OK = new Frame.Reply(Status.OK, "");
    private static final Frame NOT_FOUND = new Frame.Reply(Status.ENOENT, "empty");

    /** At most 2 descriptors and 3 frames in a packet, and 2 packets in flight. */
    private static final Limits LIMITS = new Limits(32, 64, 192, 2, 3, 2, 0);

    private final List<List<Frame>> packets = new ArrayList<>();
    private final List<ChannelPromise> promises = new ArrayList<>();
    private final EmbeddedChannel channel = new EmbeddedChannel(new PacketRecorder());
    private final List<Boolean> descriptorsMayCome = new ArrayList<>();
    private final EscrowClient client = EmbeddedClient.on(channel, LIMITS, descriptorsMayCome::add);

    @TempDir
    Path directory;

    private TestFile file;

    @BeforeEach
    void open() throws IOException {
        file = new TestFile(directory, "a");
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        assertFalse(channel.finish());
        assertEquals(0, file.openCount());
    }

    @Test
    void givesAnswersToRequestsInOrder() {
        CompletableFuture<Void> added = client.add(1, 1, new byte[1]);
        CompletableFuture<Void> deleted = client.delete(1, 2);
        CompletableFuture<TagInfo> info = client.tag(1);
        send();

        answer(OK, NOT_FOUND, new Frame.Info(1, 2, 3, 4));

        assertTrue(added.isDone() && !added.isCompletedExceptionally());
        assertEquals(Status.ENOENT, failureOf(deleted).status());
        assertEquals(new TagInfo(2, 3, 4), info.join());
    }

    @Test
    void sendsNothingBeyondThePacketsInFlight() {
        for (int i = 0; i < 8; i++) {
            client.delete(0, i);
        }
        send();
        assertPackets("012", "345");

        answer(OK, OK, OK);

        assertPackets("012", "345", "67");
    }

    @Test
    void knowsWhetherAnswersBringDescriptors() {
        client.delete(0, 0);
        client.delete(0, 1);
        send();
        client.get(0, 2);
        send();
        client.delete(0, 3);
        send();
        assertEquals(List.of(false, true), descriptorsMayCome);

        answer(OK, OK);
        assertEquals(List.of(false, true, true), descriptorsMayCome);
        answer(NOT_FOUND);
        answer(OK);
        client.tag(0);
        send();

        assertEquals(List.of(false, true, true, false), descriptorsMayCome);
    }

    @Test
    void waitsForTheLastAnswerOfPacket() {
        for (int i = 0; i < 8; i++) {
            client.delete(0, i);
        }
        send();

        answer(OK, OK);
        assertPackets("012", "345");
        answer(OK);
        assertPackets("012", "345", "67");
    }

    @Test
    void putsWhatIsAskedMeanwhileIntoTheNextPacket() {
        for (int i = 0; i < 2; i++) {
            client.delete(0, i);
            send();
        }
        for (int i = 2; i < 5; i++) {
            client.delete(0, i);
            send();
        }
        assertPackets("0", "1");

        answer(OK);

        assertPackets("0", "1", "234");
    }

    @Test
    void putsNoMoreDescriptorsIntoPacketThanAllowed() {
        for (int i = 0; i < 3; i++) {
            client.get(0, i);
        }
        client.delete(0, 3);
        send();

        assertPackets("01", "23");
    }

    @Test
    void putsNoMoreBytesIntoPacketThanAllowed() {
        for (int i = 0; i < 4; i++) {
            client.add(0, i, new byte[64]);
        }
        send();

        assertPackets("01", "23");
    }

    @Test
    void refusesFarewellThatTheDaemonDoesNotKeep() {
        CompletableFuture<Void> refused = client.add(new Deposit(0, 0, null, new byte[1], new byte[1]));
        client.delete(0, 1);
        send();

        assertEquals(Status.EMSGSIZE, failureOf(refused).status());
        assertEquals("farewell length: 1 (expected: <= 0)", failureOf(refused).text());
        assertPackets("1");
    }

    @Test
    void refusesPayloadThatIsTooLongAndGoesOn() {
        CompletableFuture<Void> tooLong = client.add(0, 0, new byte[65]);
        client.delete(0, 1);
        send();

        assertEquals(Status.EMSGSIZE, failureOf(tooLong).status());
        assertEquals("payload length: 65 (expected: <= 64)", failureOf(tooLong).text());
        assertPackets("1");
    }

    @ParameterizedTest
    @ValueSource(ints = {65_536, -1, Integer.MAX_VALUE, Integer.MIN_VALUE})
    void refusesTagThatWouldBecomeAnother(int tag) {
        List<CompletableFuture<?>> refused = List.of(
                client.add(tag, 0, new byte[0]),
                client.update(tag, 0, new byte[0]),
                client.get(tag, 0),
                client.delete(tag, 0),
                client.tag(tag),
                client.list(tag));
        CompletableFuture<BulkResult> bulk =
                client.deleteAll(List.of(new SlotKey(tag, 0)).iterator());
        client.delete(0, 1);
        send();

        for (CompletableFuture<?> each : refused) {
            assertEquals(Status.EINVAL, failureOf(each).status());
            assertEquals("tag: " + tag + " (expected: 0..31)", failureOf(each).text());
        }
        assertEquals(
                Status.EINVAL, bulk.join().failures().get(new SlotKey(tag, 0)).status());
        assertPackets("1");
    }

    @Test
    void doesNotSendWhatWasCancelledBefore() {
        CompletableFuture<Void> first = client.delete(0, 0);
        client.delete(0, 1);
        first.cancel(false);
        send();

        assertPackets("1");
    }

    @Test
    void doesNotSendWhatWasCancelledWhileThePacketBeforeItWasFull() {
        List<CompletableFuture<Void>> futures = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            futures.add(client.delete(0, i));
        }
        send();

        futures.get(6).cancel(false);
        answer(OK, OK, OK);

        assertPackets("012", "345", "7");
    }

    @Test
    void tellsWhenRequestIsSentThoughItIsNotAnswered() throws IOException {
        List<Integer> sent = new ArrayList<>();
        OwnedDescriptor descriptor = file.openOwned();
        for (int i = 0; i < 5; i++) {
            int index = i;
            client.add(new Deposit(0, i, descriptor), () -> sent.add(index));
        }
        send();
        assertPackets("01", "23");
        assertEquals(List.of(), sent);

        promises.remove(0).setSuccess();
        assertEquals(List.of(0, 1), sent);

        promises.remove(0).setFailure(new IOException("cable cut"));
        channel.close();
        channel.runPendingTasks();
        assertEquals(List.of(0, 1), sent);
        descriptor.release();
    }

    @Test
    void callsOthersWhenCallbackOfSentRequestThrows() throws IOException {
        List<Integer> sent = new ArrayList<>();
        client.delete(0, 1, () -> {
            throw new IllegalStateException("thrown by a test");
        });
        client.delete(0, 2, () -> sent.add(2));
        send();

        promises.remove(0).setSuccess();

        assertEquals(List.of(2), sent);
    }

    @Test
    void sendsWhatMayWaitWithTheNextRequest() {
        client.deleteSoon(0, 1);
        send();
        assertPackets();

        client.delete(0, 2);
        send();

        assertPackets("12");
    }

    @Test
    void sendsWhatMayWaitAfterAMoment() {
        channel.freezeTime();
        client.deleteSoon(0, 1);
        client.deleteSoon(0, 2);
        channel.advanceTimeBy(EmbeddedClient.DELETE_DELAY.toMillis() - 1, TimeUnit.MILLISECONDS);
        send();
        assertPackets();
        channel.advanceTimeBy(1, TimeUnit.MILLISECONDS);
        send();
        assertPackets("12");

        client.deleteSoon(0, 3);
        channel.advanceTimeBy(EmbeddedClient.DELETE_DELAY.toMillis(), TimeUnit.MILLISECONDS);
        send();
        assertPackets("12", "3");
    }

    @Test
    void sendsAtOnceWhatMayWaitIfThereIsNoDelay() {
        EmbeddedChannel other = new EmbeddedChannel(new PacketRecorder());
        EscrowClient impatient = EmbeddedClient.on(other, LIMITS, Duration.ZERO);
        other.freezeTime();

        impatient.deleteSoon(0, 1);
        other.runPendingTasks();

        assertPackets("1");
        assertFalse(other.finish());
    }

    @Test
    void sendsWhatMayWaitBeforeItCloses() {
        CompletableFuture<Void> deleted = client.deleteSoon(0, 1);

        client.close();
        send();

        assertPackets("1");
        assertTrue(assertInstanceOf(
                        EscrowConnectionException.class,
                        assertThrows(CompletionException.class, deleted::join).getCause())
                .maybeCarriedOut());
    }

    @Test
    void failsAtOnceWhatMayWaitWhenTheSessionHasEnded() {
        channel.close();

        CompletableFuture<Void> deleted = client.deleteSoon(0, 1);

        assertTrue(deleted.isCompletedExceptionally());
        assertPackets();
    }

    @Test
    void failsWhatMayWaitWhenTheSessionEnds() {
        CompletableFuture<Void> deleted = client.deleteSoon(0, 1);

        channel.close();

        assertTrue(deleted.isCompletedExceptionally());
        assertPackets();
    }

    @Test
    void closesDescriptorThatComesAfterCancel() throws IOException {
        CompletableFuture<Entry> cancelled = client.get(1, 7);
        CompletableFuture<Void> next = client.delete(1, 8);
        send();
        cancelled.cancel(false);

        answer(entry(7), OK);

        assertEquals(0, file.openCount());
        assertTrue(next.isDone() && !next.isCompletedExceptionally());
    }

    @Test
    void closesDescriptorThatComesAfterTimeout() throws IOException {
        CompletableFuture<Entry> late = client.get(1, 7);
        send();
        late.completeExceptionally(new TimeoutException());

        answer(entry(7));

        assertEquals(0, file.openCount());
    }

    @Test
    void saysOfEachRequestWhetherItMayHaveBeenCarriedOut() {
        List<CompletableFuture<Void>> futures = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            futures.add(client.delete(0, i));
        }
        send();
        answer(OK);
        futures.add(client.delete(0, 8));

        channel.close();
        channel.runPendingTasks();
        futures.add(client.delete(0, 9));
        send();

        assertFalse(futures.get(0).isCompletedExceptionally());
        for (int i = 1; i < 10; i++) {
            EscrowConnectionException lost = (EscrowConnectionException) failureOf(futures.get(i));
            assertEquals(i < 6, lost.maybeCarriedOut(), "request " + i);
        }
    }

    @Test
    void sendsNothingOnceItIsClosed() {
        List<CompletableFuture<Void>> late = new ArrayList<>();
        client.closed().thenRun(() -> late.add(client.delete(0, 0)));

        channel.close();
        channel.runPendingTasks();

        assertPackets();
        EscrowConnectionException lost = (EscrowConnectionException) failureOf(late.get(0));
        assertFalse(lost.maybeCarriedOut());
    }

    @Test
    void namesTheCauseOfLostConnection() {
        CompletableFuture<Void> deleted = client.delete(0, 0);
        send();

        channel.pipeline().fireExceptionCaught(new IOException("cable cut"));

        assertEquals(
                "the connection to escrowd ended: cable cut; the request may have been carried out",
                failureOf(deleted).text());
    }

    @Test
    void saysWhyTheDaemonEndedTheSession() {
        CompletableFuture<Void> deleted = client.delete(0, 0);
        send();
        answer(OK);
        answer(new Frame.Reply(Status.ECANCELED, "ended by an operator"));
        CompletableFuture<Void> late = client.delete(0, 1);
        send();

        assertFalse(deleted.isCompletedExceptionally());
        assertFalse(channel.isOpen());
        assertEquals(
                "the connection to escrowd ended: ECANCELED: ended by an operator; the request was not sent",
                failureOf(late).text());
    }

    @ParameterizedTest
    @EnumSource(names = {"ECANCELED", "ETIMEDOUT"})
    void endOfTheSessionAnswersNoRequest(Status why) {
        CompletableFuture<Void> deleted = client.delete(0, 0);
        send();
        answer(new Frame.Reply(why, "whatever it was"));

        assertFalse(channel.isOpen());
        EscrowConnectionException lost = (EscrowConnectionException) failureOf(deleted);
        assertEquals(
                "the connection to escrowd ended: " + why + ": whatever it was; the request may have been carried out",
                lost.text());
        assertTrue(lost.maybeCarriedOut());
    }

    @Test
    void endsSessionWhenAnswerIsOfAnotherKind() throws IOException {
        CompletableFuture<Void> deleted = client.delete(0, 0);
        CompletableFuture<Entry> got = client.get(0, 1);
        send();

        answer(entry(0));

        assertEquals(Status.EPROTO, failureOf(deleted).status());
        assertInstanceOf(EscrowConnectionException.class, failureOf(got));
        assertFalse(channel.isOpen());
        assertEquals(0, file.openCount());
    }

    @Test
    void endsSessionWhenNobodyAskedForTheAnswer() throws IOException {
        answer(entry(0));

        assertFalse(channel.isOpen());
        assertEquals(0, file.openCount());
    }

    @Test
    void refusesDepositWithoutDescriptorWhereOneIsNeeded() {
        assertThrows(NullPointerException.class, () -> client.add(0, 0, null, new byte[0]));
        assertThrows(NullPointerException.class, () -> new Deposit(0, 0, null, null));
    }

    private void send() {
        channel.runPendingTasks();
    }

    private void answer(Frame... answers) {
        channel.writeInbound((Object[]) answers);
        if (channel.isOpen()) {
            channel.writeInbound(PacketEnd.INSTANCE);
        }
    }

    private Frame entry(int index) throws IOException {
        return new Frame.Add(1, index, 5, new byte[0], file.openOwned());
    }

    /** Compares the indices that are in the packets so far. */
    private void assertPackets(String... expected) {
        List<String> indices = new ArrayList<>();
        for (List<Frame> packet : packets) {
            StringBuilder all = new StringBuilder();
            for (Frame frame : packet) {
                all.append(indexOf(frame));
            }
            indices.add(all.toString());
        }
        assertEquals(List.of(expected), indices);
    }

    private static int indexOf(Frame frame) {
        if (frame instanceof Frame.Add add) {
            return add.index();
        } else if (frame instanceof Frame.Get get) {
            return get.index();
        }
        return ((Frame.Delete) frame).index();
    }

    private static EscrowException failureOf(CompletableFuture<?> future) {
        assertTrue(future.isDone());
        CompletionException e = assertThrows(CompletionException.class, future::join);
        return assertInstanceOf(EscrowException.class, e.getCause());
    }

    private final class PacketRecorder extends ChannelOutboundHandlerAdapter {

        private List<Frame> packet = new ArrayList<>();

        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            packet.add((Frame) msg);
            if (!promise.isVoid()) {
                promises.add(promise);
            }
        }

        @Override
        public void flush(ChannelHandlerContext ctx) {
            packets.add(packet);
            packet = new ArrayList<>();
        }
    }
}
