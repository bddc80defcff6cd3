package io.escrow.handover.store;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Entry;
import io.escrow.EscrowConnectionException;
import io.escrow.EscrowException;
import io.escrow.SlotInfo;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.escrow.internal.Futures;
import io.escrow.testing.InMemoryEscrow;
import io.escrow.testing.InMemoryEscrow.Fault;
import io.escrow.testing.TestFile;
import io.netty.channel.unix.FileDescriptor;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EscrowTableTest {

    private static final int FIRST_TAG = 3;
    private static final int CONNECTIONS = FIRST_TAG + 1;
    private static final int CHUNKS = FIRST_TAG + 2;

    private final EscrowTable table = new EscrowTable(FIRST_TAG);
    private Path directory;
    private InMemoryEscrow escrow;
    private EscrowClient client;
    private TestFile file;
    private FileDescriptor descriptor;

    @BeforeEach
    void connect(@TempDir Path directory) throws Exception {
        this.directory = directory;
        escrow = InMemoryEscrow.start(directory.resolve("s"));
        reconnect();
        table.begin(client).join();
        file = new TestFile(directory, "a");
        descriptor = file.open();
    }

    private void reconnect() throws Exception {
        client = EscrowClient.builder()
                .path(directory.resolve("s").toString())
                .connectTimeout(Duration.ofSeconds(10))
                .connect()
                .get();
    }

    @AfterEach
    void close() throws Exception {
        descriptor.close();
        client.close();
        escrow.close();
        file.awaitOpenCount(0);
    }

    private static ChannelRecord large(int size) {
        byte[] state = new byte[size];
        for (int i = 0; i < size; i++) {
            state[i] = (byte) (i * 31);
        }
        return ChannelRecord.builder("echo", true)
                .putHandler("large", state, true)
                .build();
    }

    private long used(int tag) {
        return client.tag(tag).join().used();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 32_000, 32_768, 100_000})
    void whatIsStoredIsRead(int size) {
        ChannelRecord stored = large(size);
        ChannelSlot slot = table.newConnectionSlot();
        slot.store(descriptor, stored).join();
        try (Entry entry = client.get(CONNECTIONS, slot.index()).join()) {
            ChannelRecord read = table.read(entry).join();
            assertEquals("echo", read.listener());
            assertTrue(read.clean());
            assertArrayEquals(stored.get("handler:large"), read.get("handler:large"));
            assertTrue(read.sections().get("handler:large").required());
            assertTrue(entry.hasDescriptor());
        }
        assertEquals(size < 32_768 - 100 ? 0 : size / 32_768, used(CHUNKS));
        slot.remove().join();
        assertEquals(0, used(CHUNKS));
        assertEquals(0, used(CONNECTIONS));
    }

    @Test
    void chunksOfAReplacedRecordAreFreed() {
        ChannelSlot slot = table.newConnectionSlot();
        slot.store(descriptor, large(100_000)).join();
        slot.store(null, large(50_000)).join();
        assertEquals(1, used(CHUNKS));
        try (Entry entry = client.get(CONNECTIONS, slot.index()).join()) {
            assertEquals(50_000, table.read(entry).join().get("handler:large").length);
        }
        slot.store(null, large(1)).join();
        assertEquals(0, used(CHUNKS));
    }

    @ParameterizedTest
    @ValueSource(strings = {"v1", "v2"})
    void recordsOfAllVersionsAreReadWithTheirChunks(String version) throws Exception {
        client.add(CHUNKS, 0, golden(version + "/chunks-0")).join();
        client.add(CHUNKS, 1, golden(version + "/chunks-1")).join();
        ChannelRecord read = table.read(stored(golden(version + "/chunks"))).join();
        assertEquals(600, read.get("handler:large").length);
        assertArrayEquals(new byte[] {'m', 'o', 'r', 'e'}, read.get("gate"));
    }

    private static byte[] golden(String file) throws Exception {
        try (InputStream in = EscrowTableTest.class.getResourceAsStream("records/" + file + ".bin")) {
            return in.readAllBytes();
        }
    }

    /** Stores a payload, and gets it. */
    private Entry stored(byte[] payload) {
        client.add(CONNECTIONS, 0, payload).join();
        return client.get(CONNECTIONS, 0).join();
    }

    private static byte[] payload(int chunks, int first, int... record) {
        ByteBuffer payload =
                ByteBuffer.allocate(8 + record.length).putInt(chunks).putInt(first);
        for (int value : record) {
            payload.put((byte) value);
        }
        return payload.array();
    }

    private UnreadableRecordException refused(Entry entry) {
        CompletionException failed =
                assertThrows(CompletionException.class, () -> table.read(entry).join());
        return assertInstanceOf(UnreadableRecordException.class, Futures.unwrap(failed));
    }

    private void assertRefused(Status status, String reason, byte[] payload) {
        UnreadableRecordException refused = refused(stored(payload));
        assertEquals(status, refused.status());
        assertEquals(status == Status.EOPNOTSUPP, refused.isTooNew());
        assertTrue(refused.text().contains(reason), refused.text());
        assertArrayEquals(payload, client.get(CONNECTIONS, 0).join().payload(), "it is still there");
    }

    @Test
    void whatCantBeReadIsNamed() {
        assertRefused(Status.EOPNOTSUPP, "needs a reader of version 3 or later (this one: 2)", payload(0, 0, 3, 4, 9));
        assertRefused(Status.EINVAL, "not the record of a channel: ", payload(0, 0, 2, 2, 1));
        assertRefused(Status.EINVAL, "slot 4/0 holds no channel: its payload of 7 bytes", new byte[7]);
        assertRefused(Status.EINVAL, "slot 4/0 holds no channel: ", payload(-1, 0, 2));
        assertRefused(Status.EINVAL, "slot 4/0 holds no channel: ", payload(0, 1, 2));
        assertRefused(Status.EINVAL, "slot 4/0 holds no channel: ", payload(1, -1, 2));
        assertRefused(Status.EINVAL, "slot 4/0 holds no channel: ", payload(65_537, 0, 2));
    }

    @Test
    void indicesThatAreUsedAreNotTakenAgainAfterTheHighest() {
        client.add(CONNECTIONS, Integer.MAX_VALUE, new byte[0]).join();
        client.add(CONNECTIONS, 0, new byte[0]).join();
        client.add(CONNECTIONS, 2, new byte[0]).join();
        client.add(CHUNKS, Integer.MAX_VALUE - 1, new byte[0]).join();
        client.add(CHUNKS, 1, new byte[0]).join();
        table.begin(client).join();

        ChannelSlot slot = table.newConnectionSlot();
        assertEquals(1, slot.index());
        assertEquals(3, table.newConnectionSlot().index());
        slot.store(descriptor, large(100_000)).join();
        assertEquals(
                List.of(1, 2, 3, 4, Integer.MAX_VALUE - 1),
                client.list(CHUNKS).join().stream().map(SlotInfo::index).toList());
    }

    @Test
    void indicesOfOthersAreFoundOutBeforeTheHighestIsReached() {
        client.add(CONNECTIONS, Integer.MAX_VALUE - (1 << 20) - 2, new byte[0]).join();
        client.add(CONNECTIONS, 1, new byte[0]).join();
        table.begin(client).join();

        int index = table.newConnectionSlot().index();
        assertEquals(Integer.MAX_VALUE - (1 << 20) - 1, index);
        int own = table.newConnectionSlot().index();
        client.tag(CONNECTIONS).join(); // what was asked before is answered
        while (index != Integer.MAX_VALUE) {
            ChannelSlot slot = table.newConnectionSlot();
            index = slot.index();
            slot.free();
        }
        assertEquals(0, table.newConnectionSlot().index());
        assertEquals(2, table.newConnectionSlot().index());
        assertTrue(own > 2);
    }

    @Test
    void anIndexIsFreeWhenItsChannelHasEnded() {
        ChannelSlot slot = table.newConnectionSlot();
        slot.store(descriptor, large(1)).join();
        slot.remove().join();
        ChannelSlot other = table.newConnectionSlot();
        other.store(descriptor, large(1)).join();
        other.free().join();
        client.add(CONNECTIONS, Integer.MAX_VALUE, new byte[0]).join();
        table.begin(client).join();

        assertEquals(other.index(), table.newConnectionSlot().index());
        assertEquals(0, slot.index());
    }

    @Test
    void tooFewTagsAreNamed() {
        EscrowTable last = new EscrowTable(30);
        CompletionException failed =
                assertThrows(CompletionException.class, () -> last.begin(client).join());
        assertEquals(
                "first tag: 30, so that the server uses the tags 30 to 32; escrowd has 32, from 0 on: choose a smaller"
                        + " first tag, or start escrowd with --tags 33",
                assertInstanceOf(EscrowException.class, Futures.unwrap(failed)).text());
        new EscrowTable(29).begin(client).join();
    }

    @Test
    void chunksThatAreNotStoredBecauseTheSessionIsLostAreFreedInTheNext() throws Exception {
        ChannelSlot slot = table.newConnectionSlot();
        slot.store(descriptor, large(50_000)).join();
        escrow.faults(request -> Fault.REQUEST_LOST);
        assertThrows(CompletionException.class, slot.store(null, large(100_000))::join);
        client.closed().toCompletableFuture().join();
        escrow.faults(request -> null);
        reconnect();
        // As if the chunks had been stored.
        for (int i = 1; i < 4; i++) {
            client.add(CHUNKS, i, new byte[1]).join();
        }
        assertEquals(4, used(CHUNKS));

        table.begin(client).join();
        slot.store(descriptor, large(40_000)).join();
        table.freeStrayChunks();
        assertEquals(1, used(CHUNKS));
        slot.free().join();
        assertEquals(0, used(CHUNKS));
    }

    /** A process dies when it has told the escrow something, and before the answer. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whatIsSentIsDoneThoughTheProcessHasGone(boolean replaced) throws Exception {
        ChannelSlot slot = table.newConnectionSlot();
        slot.store(descriptor, large(10)).join();
        CountDownLatch gone = new CountDownLatch(1);
        escrow.faults(request -> {
            awaitUninterruptibly(gone);
            return null;
        });
        CountDownLatch sent = new CountDownLatch(1);
        CompletableFuture<Void> done =
                replaced ? slot.store(null, large(20), sent::countDown) : slot.remove(sent::countDown);
        assertTrue(sent.await(10, TimeUnit.SECONDS));
        assertFalse(done.isDone());
        client.close();
        client.closed().toCompletableFuture().join();
        assertThrows(CompletionException.class, done::join);
        gone.countDown();
        escrow.faults(request -> null);
        reconnect();
        table.begin(client).join();
        if (replaced) {
            try (Entry entry = client.get(CONNECTIONS, slot.index()).join()) {
                assertEquals(20, table.read(entry).join().get("handler:large").length);
            }
        } else {
            assertEquals(0, used(CONNECTIONS));
        }
    }

    private static void awaitUninterruptibly(CountDownLatch latch) {
        try {
            assertTrue(latch.await(10, TimeUnit.SECONDS));
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void nothingIsSentWithoutASession() {
        ChannelSlot slot = table.newConnectionSlot();
        slot.store(descriptor, large(10)).join();
        client.close();
        client.closed().toCompletableFuture().join();
        AtomicInteger sent = new AtomicInteger();
        assertThrows(CompletionException.class, slot.store(null, large(20), sent::incrementAndGet)::join);
        assertThrows(CompletionException.class, slot.remove(sent::incrementAndGet)::join);
        assertTrue(slot.isEmptied());
        // It is empty as far as anybody can tell.
        slot.remove(sent::incrementAndGet).join();
        assertEquals(0, sent.get());
    }

    @Test
    void chunksAreFreedThoughAnOperatorHasEmptiedTheSlot() {
        ChannelSlot slot = table.newConnectionSlot();
        slot.store(descriptor, large(100_000)).join();
        client.delete(CONNECTIONS, slot.index()).join();
        assertThrows(CompletionException.class, slot.free()::join);
        assertEquals(0, used(CHUNKS));
    }

    @Test
    void chunksOfADiscardedSlotAreFreed() {
        ChannelSlot slot = table.newConnectionSlot();
        slot.store(descriptor, large(100_000)).join();
        try (Entry entry = client.get(CONNECTIONS, slot.index()).join()) {
            table.discard(entry).join();
        }
        assertEquals(0, used(CHUNKS));
        assertEquals(0, used(CONNECTIONS));
    }

    @Test
    void chunksWithoutARecordAreFound() {
        ChannelSlot slot = table.newConnectionSlot();
        slot.store(descriptor, large(100_000)).join();
        client.add(CHUNKS, 3, new byte[1]).join();
        client.add(CHUNKS, 7, new byte[1]).join();
        client.add(CHUNKS, 9, new byte[1]).join();
        client.add(FIRST_TAG, 0, payload(2, 7, 3, 4, 9)).join(); // of a later version
        UnreferencedChunks chunks = UnreferencedChunks.find(table).join();
        chunks.getAll(FIRST_TAG, Entry::close).join();
        chunks.getAll(CONNECTIONS, Entry::close).join();

        assertEquals(2, chunks.free().join());
        assertEquals(4, used(CHUNKS));
        assertEquals(1, client.get(CHUNKS, 7).join().payload().length);
    }

    @Test
    void allChunksStayWhereAnythingIsNotUnderstood() {
        client.add(CHUNKS, 3, new byte[1]).join();
        client.add(CONNECTIONS, 0, new byte[] {1}).join();
        UnreferencedChunks chunks = UnreferencedChunks.find(table).join();
        chunks.getAll(CONNECTIONS, Entry::close).join();

        assertEquals(0, chunks.free().join());
        assertEquals(1, used(CHUNKS));
    }

    @Test
    void aRecordWithoutAllOfItsChunksIsNone() {
        client.add(CHUNKS, 0, new byte[] {2, 1}).join();
        assertRefused(Status.EINVAL, "slot 5/1 is empty (expected: the rest of a channel's record)", payload(2, 0, 2));
        assertEquals(1, used(CHUNKS));
    }

    @Test
    void aChunkHasNoDescriptor() {
        client.add(CHUNKS, 0, descriptor, new byte[] {2, 1}).join();
        assertRefused(Status.EINVAL, "slot 5/0 holds a descriptor", payload(1, 0, 2));
        file.awaitOpenCount(2); // the test's and the escrow's
    }

    @Test
    void aLostSessionSaysNothingAboutTheRecord() {
        Entry entry = stored(payload(1, 0, 2));
        client.close();
        client.closed().toCompletableFuture().join();
        CompletionException failed =
                assertThrows(CompletionException.class, () -> table.read(entry).join());
        assertInstanceOf(EscrowConnectionException.class, Futures.unwrap(failed));
        assertFalse(entry.hasDescriptor());
    }
}
