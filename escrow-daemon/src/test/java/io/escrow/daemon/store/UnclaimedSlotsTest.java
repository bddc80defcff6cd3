package io.escrow.daemon.store;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.OwnedDescriptor;
import io.escrow.TagInfo;
import io.escrow.daemon.config.StoreLimits;
import io.escrow.daemon.config.UnclaimedOptions;
import io.escrow.daemon.events.EventLog;
import io.escrow.daemon.events.FailureDetector;
import io.escrow.daemon.kernel.HangupDetector;
import io.escrow.daemon.kernel.ProcDescriptors;
import io.escrow.testing.TestConnection;
import io.escrow.testing.TestFile;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnclaimedSlotsTest {

    private static final int TIMEOUT_SECONDS = 30;
    private static final int REAP_SECONDS = 10;
    private static final int MAX_FAREWELL = 64;
    private static final byte[] FAREWELL = "HTTP/1.1 503 Service Unavailable\r\n\r\n".getBytes(US_ASCII);

    private final Store store = new Store(4, new StoreLimits(100, 10_000, 100));
    private final EmbeddedChannel loop = new EmbeddedChannel();
    private final Queue<Runnable> background = new ArrayDeque<>();
    private final HangupDetector hangups = new HangupDetector();
    private final UnclaimedSlots unclaimed = new UnclaimedSlots(
            store,
            new UnclaimedOptions(Duration.ofSeconds(TIMEOUT_SECONDS), Duration.ofSeconds(REAP_SECONDS)),
            MAX_FAREWELL,
            loop.eventLoop(),
            background::add,
            hangups,
            new EventLog(),
            new FailureDetector());

    @TempDir
    Path directory;

    @BeforeEach
    void stopTheClock() {
        loop.freezeTime();
        unclaimed.start();
    }

    @AfterEach
    void close() {
        store.close();
        hangups.close();
        loop.finish();
    }

    @Test
    void peerReadsTheFarewellAndThenTheEnd() throws IOException {
        try (TestConnection tcp = TestConnection.tcp();
                TestConnection unix = TestConnection.unix(directory.resolve("c"))) {
            hold(0, tcp, FAREWELL);
            hold(1, unix, FAREWELL);

            pass(TIMEOUT_SECONDS);

            assertArrayEquals(FAREWELL, tcp.peerReadsToTheEnd());
            assertArrayEquals(FAREWELL, unix.peerReadsToTheEnd());
            assertEquals(0, store.slots());
        }
    }

    @Test
    void peerReadsTheFarewellAlthoughItsRequestsWereNotRead() throws IOException {
        try (TestConnection tcp = TestConnection.tcp();
                TestConnection unix = TestConnection.unix(directory.resolve("c"))) {
            tcp.peerSends(new byte[100_000]);
            unix.peerSends(new byte[100_000]);
            hold(0, tcp, FAREWELL);
            hold(1, unix, FAREWELL);

            pass(TIMEOUT_SECONDS);

            assertArrayEquals(FAREWELL, tcp.peerReadsToTheEnd());
            assertArrayEquals(FAREWELL, unix.peerReadsToTheEnd());
        }
    }

    @Test
    void losesNothingOfConnectionThatWouldBeReset() throws IOException {
        try (TestConnection slow = TestConnection.tcp()) {
            int unread = slow.fill();
            slow.server().setSoLinger(0);
            hold(0, slow, FAREWELL);

            pass(TIMEOUT_SECONDS);

            assertTrue(slow.peerReadsToTheEnd().length >= unread);
        }
    }

    @Test
    void peerReadsTheEndOfConnectionWithoutFarewell() throws IOException {
        try (TestConnection tcp = TestConnection.tcp()) {
            hold(0, tcp, new byte[0]);

            pass(TIMEOUT_SECONDS);

            assertEquals(0, tcp.peerReadsToTheEnd().length);
        }
    }

    @Test
    void doesNotWaitForPeerThatDoesNotRead() throws IOException {
        try (TestConnection slow = TestConnection.tcp();
                TestConnection slowUnix = TestConnection.unix(directory.resolve("c"));
                TestConnection other = TestConnection.tcp()) {
            int unread = slow.fill();
            int unreadUnix = slowUnix.fill();
            hold(0, slow, FAREWELL);
            hold(1, slowUnix, FAREWELL);
            hold(2, other, FAREWELL);

            pass(TIMEOUT_SECONDS);

            assertArrayEquals(FAREWELL, other.peerReadsToTheEnd());
            assertTrue(slow.peerReadsToTheEnd().length >= unread);
            assertTrue(slowUnix.peerReadsToTheEnd().length >= unreadUnix);
        }
    }

    @Test
    void closesWhatIsNoConnection() throws IOException {
        TestFile file = new TestFile(directory, "a");
        Socket listener = Socket.newSocketStream();
        listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        listener.listen(1);
        InetSocketAddress address = listener.localAddress();
        store.add(0, 0, new StoredSlot(5, new byte[1], FAREWELL, file.openOwned()));
        store.add(1, 1, new StoredSlot(5, new byte[2], FAREWELL, new OwnedDescriptor(listener.intValue())));
        store.add(2, 2, new StoredSlot(-1, new byte[3], FAREWELL, null));

        pass(TIMEOUT_SECONDS);

        assertEquals(0, file.openCount());
        assertEquals(0, store.slots());
        assertEquals(new TagInfo(0, 0, 0), store.info(1));
        Socket next = Socket.newSocketStream();
        next.bind(address);
        next.close();
    }

    @Test
    void leavesConnectionToProcessThatHasItOpen() throws IOException {
        try (TestConnection tcp = TestConnection.tcp()) {
            StoredSlot slot = new StoredSlot(5, new byte[0], FAREWELL, tcp.owned());
            FarewellWriter farewells = new FarewellWriter(
                    MAX_FAREWELL, Set.of(ProcDescriptors.name(tcp.server().intValue())));

            farewells.end(slot);

            assertEquals(1, farewells.left());
            assertEquals(0, farewells.told());
            assertEquals(1, tcp.server().write(java.nio.ByteBuffer.allocateDirect(1), 0, 1));
            slot.descriptor().release();
            assertArrayEquals(new byte[1], tcp.peerReadsToTheEnd());
        }
    }

    @Test
    void keepsEverythingUntilTheTimeHasPassed() throws IOException {
        store.add(0, 0, new StoredSlot(-1, new byte[1], null));

        pass(TIMEOUT_SECONDS - 1);
        assertEquals(1, store.slots());

        pass(1);
        assertEquals(0, store.slots());
    }

    @Test
    void countsTheTimeFromTheEndOfTheLastSession() throws IOException {
        pass(TIMEOUT_SECONDS - 1);
        unclaimed.stop();
        store.add(0, 0, new StoredSlot(-1, new byte[1], null));
        pass(10 * TIMEOUT_SECONDS);
        unclaimed.start();
        pass(TIMEOUT_SECONDS - 1);
        assertEquals(1, store.slots());

        pass(1);
        assertEquals(0, store.slots());
    }

    @Test
    void keepsEverythingForSessionThatBeginsAtTheLastMoment() throws IOException {
        store.add(0, 0, new StoredSlot(-1, new byte[1], null));
        loop.advanceTimeBy(TIMEOUT_SECONDS, TimeUnit.SECONDS);
        loop.runScheduledPendingTasks();
        assertEquals(1, background.size());

        unclaimed.stop();
        pass(0);

        assertEquals(1, store.slots());
    }

    @Test
    void freesSlotsWhosePeerHasGone() throws IOException {
        try (TestConnection reset = TestConnection.tcp();
                TestConnection alive = TestConnection.tcp();
                TestConnection closed = TestConnection.unix(directory.resolve("c"))) {
            hold(0, reset, FAREWELL);
            hold(Integer.MAX_VALUE, closed, FAREWELL);
            store.add(3, 7, new StoredSlot(5, new byte[0], alive.owned()));
            reset.peerResets();
            closed.peerCloses();

            pass(REAP_SECONDS - 1);
            assertEquals(3, store.slots());

            pass(1);
            assertEquals(1, store.slots());
            assertEquals(new TagInfo(1, 8, 0), store.info(3));
            alive.peerSends((byte) 1);
            pass(REAP_SECONDS);
            assertEquals(1, store.slots());
        }
    }

    @Test
    void freesNothingWhileSessionIsOn() throws IOException {
        try (TestConnection closed = TestConnection.unix(directory.resolve("c"))) {
            hold(0, closed, FAREWELL);
            closed.peerCloses();
            unclaimed.stop();

            pass(10 * REAP_SECONDS);

            assertEquals(1, store.slots());
        }
    }

    private void hold(int index, TestConnection connection, byte[] farewell) throws IOException {
        store.add(1, index, new StoredSlot(5, new byte[0], farewell, connection.owned()));
    }

    private void pass(int seconds) {
        loop.advanceTimeBy(seconds, TimeUnit.SECONDS);
        loop.runScheduledPendingTasks();
        for (Runnable task = background.poll(); task != null; task = background.poll()) {
            task.run();
        }
        loop.runPendingTasks();
    }
}
