package io.escrow.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.BulkResult;
import io.escrow.Entry;
import io.escrow.EscrowConnectionException;
import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.SlotInfo;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.codec.Frame;
import io.escrow.codec.PacketEnd;
import io.escrow.testing.TestFile;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Asks through a client, and answers by hand what it has sent. */
class BulkRequestTest {

    private static final Frame OK = new Frame.Reply(Status.OK, "");

    /** At most 3 requests in a packet, and 2 packets in flight. */
    private static final Limits LIMITS = new Limits(32, 64, 192, 3, 3, 2, 0);

    private final EmbeddedChannel channel = new EmbeddedChannel();
    private final EscrowClient client = EmbeddedClient.on(channel, LIMITS);
    private int pulled;

    @TempDir
    Path directory;

    private TestFile file;

    @BeforeEach
    void open() throws IOException {
        file = new TestFile(directory, "a");
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        channel.releaseOutbound();
        assertFalse(channel.finish());
        assertEquals(0, file.openCount());
    }

    @Test
    void pullsNoFurtherThanThePacketsInFlightReach() {
        CompletableFuture<BulkResult> result = client.deleteAll(slots(1_000));
        int window = LIMITS.packetFrames() * LIMITS.packetsInFlight();
        channel.runPendingTasks();

        for (int answered = 0; answered < 1_000; answered++) {
            assertTrue(pulled <= answered + window + 1, pulled + " pulled when " + answered + " were answered");
            assertFalse(result.isDone());
            answer(OK);
        }

        assertEquals(1_000, result.join().succeeded());
    }

    @Test
    void isDoneAtOnceWhenThereIsNothingToAsk() {
        CompletableFuture<BulkResult> result = client.deleteAll(slots(0));
        channel.runPendingTasks();

        assertEquals(0, result.join().succeeded());
    }

    @Test
    void tellsWhichSlotsWereRefused() throws IOException {
        CompletableFuture<BulkResult> future = client.deleteAll(slots(4));
        channel.runPendingTasks();

        answer(OK, new Frame.Reply(Status.ENOENT, "one"), new Frame.Reply(Status.EINVAL, "two"));
        answer(OK);

        BulkResult result = future.join();
        assertEquals(2, result.succeeded());
        assertEquals(
                List.of(new SlotKey(0, 1), new SlotKey(0, 2)),
                List.copyOf(result.failures().keySet()));
        assertSame(result.failures().get(new SlotKey(0, 1)), assertThrows(EscrowException.class, result::orThrow));
    }

    @Test
    void servesSingleRequestsBehindIt() {
        CompletableFuture<BulkResult> bulk = client.deleteAll(slots(10));
        CompletableFuture<Void> single = client.delete(1, 0);
        channel.runPendingTasks();

        for (int i = 0; i < 10; i++) {
            answer(OK);
        }
        assertTrue(bulk.isDone());
        assertFalse(single.isDone());
        answer(OK);
        assertTrue(single.isDone());
    }

    @Test
    void failsWhenTheSourceThrows() {
        IllegalStateException broken = new IllegalStateException("broken");
        Iterator<SlotKey> source = slots(10);
        CompletableFuture<BulkResult> result = client.deleteAll(new Iterator<>() {
            @Override
            public boolean hasNext() {
                return true;
            }

            @Override
            public SlotKey next() {
                if (pulled == 2) {
                    throw broken;
                }
                return source.next();
            }
        });
        channel.runPendingTasks();
        answer(OK, OK);

        assertBroken(broken, result);
        assertServing();
    }

    @Test
    void failsWhenTheSinkThrowsAndClosesWhatComesLater() throws IOException {
        IllegalStateException broken = new IllegalStateException("broken");
        CompletableFuture<BulkResult> result = client.getAll(slots(20), entry -> {
            throw broken;
        });
        channel.runPendingTasks();

        answer(entry(0), entry(1), entry(2));
        answer(entry(3), entry(4), entry(5));

        assertBroken(broken, result);
        assertEquals(0, file.openCount());
        assertTrue(pulled < 20);
    }

    @Test
    void stopsAndClosesWhatComesLaterWhenCancelled() throws IOException {
        List<Entry> entries = new ArrayList<>();
        CompletableFuture<BulkResult> result = client.getAll(slots(20), entries::add);
        channel.runPendingTasks();
        answer(entry(0));

        result.cancel(false);
        answer(entry(1), entry(2), entry(3), entry(4), entry(5));

        assertEquals(1, entries.size());
        entries.get(0).close();
        assertEquals(0, file.openCount());
        assertServing();
    }

    @Test
    void failsWhenTheConnectionEnds() {
        CompletableFuture<BulkResult> result = client.deleteAll(slots(20));
        channel.runPendingTasks();
        answer(OK);

        channel.close();

        assertTrue(assertInstanceOf(EscrowConnectionException.class, causeOf(result))
                .maybeCarriedOut());
    }

    @Test
    void failsAsNotCarriedOutWhenNothingWasSentYet() {
        channel.close();
        CompletableFuture<BulkResult> result = client.deleteAll(slots(20));
        channel.runPendingTasks();

        assertFalse(assertInstanceOf(EscrowConnectionException.class, causeOf(result))
                .maybeCarriedOut());
        assertEquals(0, pulled);
    }

    @Test
    void fetchesWhatTheListingShows() throws IOException {
        List<Integer> fetched = new ArrayList<>();
        CompletableFuture<BulkResult> result = client.getAll(1, entry -> {
            fetched.add(entry.index());
            entry.close();
        });
        channel.runPendingTasks();
        answer(new Frame.ListPage(1, 3, List.of(new SlotInfo(1, 2, 0, true))));
        channel.runPendingTasks();
        answer(new Frame.ListPage(1, -1, List.of(new SlotInfo(1, 9, 0, true))));
        channel.runPendingTasks();

        answer(entry(2), entry(9));

        assertEquals(2, result.join().succeeded());
        assertEquals(List.of(2, 9), fetched);
    }

    @Test
    void fetchesNothingWhenCancelledWhileListing() {
        CompletableFuture<BulkResult> result = client.getAll(1, Entry::close);
        channel.runPendingTasks();
        channel.releaseOutbound();
        result.cancel(false);

        answer(new Frame.ListPage(1, -1, List.of(new SlotInfo(1, 2, 0, true))));
        channel.runPendingTasks();

        assertEquals(0, channel.outboundMessages().size());
    }

    private Iterator<SlotKey> slots(int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> {
                    pulled++;
                    return new SlotKey(0, i);
                })
                .iterator();
    }

    private void answer(Frame... answers) {
        channel.writeInbound((Object[]) answers);
        channel.writeInbound(PacketEnd.INSTANCE);
    }

    private Frame entry(int index) throws IOException {
        return new Frame.Add(1, index, 5, new byte[0], file.openOwned());
    }

    private void assertServing() {
        CompletableFuture<Void> next = client.delete(0, 0);
        channel.runPendingTasks();
        answer(OK);
        assertTrue(next.isDone() && !next.isCompletedExceptionally());
    }

    private static void assertBroken(RuntimeException broken, CompletableFuture<?> result) {
        EscrowException failure = assertInstanceOf(EscrowException.class, causeOf(result));
        assertEquals(Status.EIO, failure.status());
        assertSame(broken, failure.getCause());
    }

    private static Throwable causeOf(CompletableFuture<?> future) {
        assertTrue(future.isDone());
        return assertThrows(CompletionException.class, future::join).getCause();
    }
}
