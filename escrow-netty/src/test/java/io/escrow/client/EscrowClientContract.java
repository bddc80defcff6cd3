package io.escrow.client;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.BulkResult;
import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.SlotInfo;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.TagInfo;
import io.escrow.testing.TestConnection;
import io.escrow.testing.TestFile;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a client can rely on with every escrow. Each subclass runs it against one. */
public abstract class EscrowClientContract {

    private static final int MANY = 2_500;
    private static final byte[] PAYLOAD = {1, 2, 3};

    @TempDir
    Path directory;

    private Path path;
    private AutoCloseable daemon;
    private EscrowClient client;
    private TestFile file;
    private FileDescriptor descriptor;

    /** Starts an escrow in this process with room for so many slots, and for the descriptors of a tenth of them. */
    protected abstract AutoCloseable startEscrow(Path path, int slots) throws Exception;

    @BeforeEach
    final void start() throws Exception {
        path = directory.resolve("s");
        daemon = startEscrow(path, 2 * MANY);
        client = connect();
        file = new TestFile(directory, "a");
        descriptor = file.open();
    }

    @AfterEach
    final void stop() throws Exception {
        client.toBlocking(Duration.ofSeconds(10)).close();
        daemon.close();
        await().until(() -> file.openCount() == 1);
        descriptor.close();
    }

    @Test
    void getsWhatWasAdded() throws IOException {
        client.add(1, 7, descriptor, PAYLOAD).join();
        await().until(() -> file.openCount() == 2);

        try (Entry entry = client.get(1, 7).join()) {
            assertEquals("1/7", entry.tag() + "/" + entry.index());
            assertEquals(descriptor.intValue(), entry.number());
            assertArrayEquals(PAYLOAD, entry.payload());
            FileDescriptor taken = entry.takeDescriptor();
            assertTrue(file.is(taken));
            taken.close();
        }
        await().until(() -> file.openCount() == 2);
    }

    @Test
    void endsItsThreadWhenTheDaemonEnds() throws Exception {
        daemon.close();

        assertTrue(client.eventLoop().parent().terminationFuture().await(10, TimeUnit.SECONDS));
    }

    @Test
    void storesWhatWasSentThoughTheClientIsGone() throws IOException {
        CompletableFuture<Void> sent = new CompletableFuture<>();
        EscrowClient leaving = client;
        // On the event loop, so that the answer can't be read before the end.
        client.add(new Deposit(1, 7, descriptor, PAYLOAD), () -> {
            leaving.close();
            sent.complete(null);
        });
        sent.join();

        client = connect();
        try (Entry entry = client.get(1, 7).join()) {
            assertArrayEquals(PAYLOAD, entry.payload());
            assertTrue(entry.hasDescriptor());
        }
    }

    @Test
    void leavesCallersDescriptorOpen() throws IOException {
        client.add(1, 7, descriptor, PAYLOAD).join();
        client.delete(1, 7).join();

        assertTrue(file.is(descriptor));
        await().until(() -> file.openCount() == 1);
    }

    @Test
    void storesPayloadWithoutDescriptor() {
        client.add(1, 7, PAYLOAD).join();

        try (Entry entry = client.get(1, 7).join()) {
            assertFalse(entry.hasDescriptor());
            assertEquals(-1, entry.number());
            assertArrayEquals(PAYLOAD, entry.payload());
        }
    }

    @Test
    void storesNothingAtAll() {
        client.add(1, 7, new byte[0]).join();

        try (Entry entry = client.get(1, 7).join()) {
            assertFalse(entry.hasDescriptor());
            assertEquals(0, entry.payload().length);
        }
    }

    @Test
    void storesLargestPayload() {
        client.add(1, 7, descriptor, new byte[client.maxPayload()]).join();

        try (Entry entry = client.get(1, 7).join()) {
            assertEquals(32 * 1024, entry.payload().length);
        }
        assertFails(Status.EMSGSIZE, client.add(1, 7, new byte[client.maxPayload() + 1]));
    }

    @Test
    void updatesPayload() throws IOException {
        client.add(1, 7, descriptor, new byte[0]).join();
        client.update(1, 7, PAYLOAD).join();

        try (Entry entry = client.get(1, 7).join()) {
            assertArrayEquals(PAYLOAD, entry.payload());
            assertTrue(entry.hasDescriptor());
        }
        assertFails(Status.ENOENT, client.update(1, 8, PAYLOAD));
    }

    @Test
    void listsPeersThatHaveGone() throws IOException {
        try (TestConnection gone = TestConnection.tcp();
                TestConnection alive = TestConnection.tcp()) {
            client.add(1, 2, gone.server(), PAYLOAD).join();
            client.add(1, 3, alive.server(), PAYLOAD).join();
            client.add(1, 4, descriptor, PAYLOAD).join();
            client.add(1, 5, PAYLOAD).join();
            gone.peerResets();

            List<SlotInfo> expected = List.of(
                    new SlotInfo(1, 2, 3, true, true),
                    new SlotInfo(1, 3, 3, true, false),
                    new SlotInfo(1, 4, 3, true, false),
                    new SlotInfo(1, 5, 3, false, false));
            await().until(() -> client.list(1).join().equals(expected));
            gone.server().close();
            alive.server().close();
        }
    }

    @Test
    void keepsFarewellBesideThePayload() {
        byte[] farewell = {4, 5};
        client.add(new Deposit(1, 7, descriptor, PAYLOAD, farewell)).join();
        client.update(1, 7, new byte[1]).join();
        assertFarewell(farewell);

        client.update(1, 7, PAYLOAD, new byte[client.maxFarewell()]).join();
        assertFarewell(new byte[1024]);
        assertEquals(new TagInfo(1, 8, PAYLOAD.length + 1024), client.tag(1).join());

        client.update(1, 7, PAYLOAD, new byte[0]).join();
        assertFarewell(new byte[0]);
        assertFails(Status.EMSGSIZE, client.update(1, 7, PAYLOAD, new byte[1025]));
    }

    private void assertFarewell(byte[] expected) {
        try (Entry entry = client.get(1, 7).join()) {
            assertArrayEquals(expected, entry.farewell());
            assertTrue(entry.hasDescriptor());
        }
    }

    @Test
    void replacesWhatTheSlotHeld() throws IOException {
        client.add(1, 7, descriptor, PAYLOAD).join();
        client.add(1, 7, new byte[1]).join();

        await().until(() -> file.openCount() == 1);
        assertEquals(new TagInfo(1, 8, 1), client.tag(1).join());
    }

    @Test
    void saysThatSlotIsEmpty() {
        assertFails(Status.ENOENT, client.get(1, 7));
        assertFails(Status.ENOENT, client.delete(1, 7));
    }

    @Test
    void refusesTagAndIndexOutOfRange() {
        assertEquals(32, client.tags());
        assertFails(Status.EINVAL, client.add(32, 0, PAYLOAD));
        assertFails(Status.EINVAL, client.get(0, -1));
        assertFails(Status.EINVAL, client.tag(32));
        client.add(31, Integer.MAX_VALUE, PAYLOAD).join();
    }

    /** Its number may be another file's by then. */
    @Test
    void storesNothingWhenTheDescriptorIsClosedWhileItIsSent() throws IOException {
        FileDescriptor closing = new FileDescriptor(descriptor.intValue()) {
            @Override
            public boolean isOpen() {
                return false; // as it is when another thread has closed it meanwhile
            }
        };
        CompletableFuture<Void> bad = client.add(1, 1, closing, PAYLOAD);
        CompletableFuture<Void> good = client.add(1, 2, descriptor, PAYLOAD);

        assertFails(Status.EBADF, bad);
        good.join();
        assertEquals(1, client.tag(1).join().used());
        await().until(() -> file.openCount() == 2);
    }

    @Test
    void failsOnlyTheAddWhoseDescriptorIsClosed() throws IOException {
        CompletableFuture<Void> before = client.add(1, 1, descriptor, PAYLOAD);
        CompletableFuture<Void> bad = client.add(1, 2, new FileDescriptor(1_000_000), PAYLOAD);
        CompletableFuture<Void> after = client.add(1, 3, descriptor, PAYLOAD);

        assertFails(Status.EBADF, bad);
        CompletableFuture.allOf(before, after).join();
        await().until(() -> file.openCount() == 3);
        assertEquals(2, client.tag(1).join().used());
    }

    @Test
    void sumsUpAndListsTag() {
        client.add(1, 9, PAYLOAD).join();
        client.add(1, 7, descriptor, new byte[1]).join();

        assertEquals(new TagInfo(2, 10, 4), client.tag(1).join());
        assertEquals(
                List.of(new SlotInfo(1, 7, 1, true), new SlotInfo(1, 9, 3, false)),
                client.list(1).join());
        assertEquals(List.of(), client.list(2).join());
    }

    @Test
    void storesFetchesListsAndDeletesMany() throws IOException {
        BulkResult added = client.addAll(IntStream.range(0, MANY)
                        .mapToObj(i -> new Deposit(2, i, i % 10 == 0 ? descriptor : null, new byte[] {(byte) i}))
                        .iterator())
                .join();
        assertEquals(MANY, added.orThrow().succeeded());
        assertEquals(1 + MANY / 10, file.openCount());
        assertEquals(MANY, client.list(2).join().size());

        List<Integer> wrong = new ArrayList<>();
        BulkResult fetched = client.getAll(2, entry -> {
                    if (entry.payload()[0] != (byte) entry.index()
                            || entry.hasDescriptor() != (entry.index() % 10 == 0)) {
                        wrong.add(entry.index());
                    }
                    entry.close();
                })
                .join();
        assertEquals(MANY, fetched.succeeded());
        assertEquals(List.of(), wrong);

        assertEquals(MANY, client.deleteAll(keys(2, MANY)).join().succeeded());
        assertEquals(new TagInfo(0, 0, 0), client.tag(2).join());
    }

    @Test
    void goesOnWhenSomeOfManyAreRefused() {
        client.add(2, 1, PAYLOAD).join();

        BulkResult result = client.deleteAll(keys(2, 3)).join();

        assertEquals(1, result.succeeded());
        assertEquals(
                List.of(new SlotKey(2, 0), new SlotKey(2, 2)),
                List.copyOf(result.failures().keySet()));
        assertThrows(EscrowException.class, result::orThrow);
    }

    @Test
    void leavesNothingOpenOfCancelledGets() {
        client.add(1, 7, descriptor, PAYLOAD).join();
        List<CompletableFuture<Entry>> gets = new ArrayList<>();
        for (int i = 0; i < 1_000; i++) {
            gets.add(client.get(1, 7));
        }
        for (CompletableFuture<Entry> get : gets) {
            if (!get.cancel(false)) {
                get.join().close();
            }
        }

        client.tag(1).join();
        file.awaitOpenCount(2);
    }

    @Test
    void leavesToTheNextClientWhatItStored() throws IOException {
        client.add(1, 7, descriptor, PAYLOAD).join();
        client.close();

        client = connect();

        try (Entry entry = client.get(1, 7).join()) {
            assertArrayEquals(PAYLOAD, entry.payload());
            assertTrue(entry.hasDescriptor());
        }
    }

    @Test
    void tellsThatAnotherSessionIsOnAndTakesItsTurn() {
        CompletableFuture<Waiting> told = new CompletableFuture<>();
        CompletableFuture<EscrowClient> next = EscrowClient.builder()
                .path(path.toString())
                .onWaiting(told::complete)
                .connect();

        assertEquals(new Waiting(path, ProcessHandle.current().pid()), told.join());
        assertFalse(next.isDone());
        client.close();

        client = next.join();
        assertEquals(0, client.tag(0).join().used());
    }

    @Test
    void saysThatItsOwnProcessHasTheSessionIfItsTimeIsUp() {
        CompletableFuture<EscrowClient> next = EscrowClient.builder()
                .path(path.toString())
                .connectTimeout(Duration.ofSeconds(1))
                .connect();

        EscrowException e = assertFails(Status.ETIMEDOUT, next);
        long own = ProcessHandle.current().pid();
        assertTrue(
                e.getMessage().endsWith("waiting for the session of process " + own + " on \"" + path + "\" to end"),
                e::getMessage);
    }

    @Test
    void failsAtOnceWhenTheDaemonEnds() throws Exception {
        client.add(1, 7, descriptor, PAYLOAD).join();
        daemon.close();

        client.closed().toCompletableFuture().join();
        assertFails(Status.ECONNRESET, client.get(1, 7));
        file.awaitOpenCount(1);
    }

    private EscrowClient connect() {
        return EscrowClient.builder().path(path.toString()).connect().join();
    }

    private static Iterator<SlotKey> keys(int tag, int count) {
        return IntStream.range(0, count).mapToObj(i -> new SlotKey(tag, i)).iterator();
    }

    private static EscrowException assertFails(Status status, CompletableFuture<?> future) {
        CompletionException e = assertThrows(CompletionException.class, future::join);
        EscrowException cause = assertInstanceOf(EscrowException.class, e.getCause());
        assertEquals(status, cause.status());
        return cause;
    }
}
