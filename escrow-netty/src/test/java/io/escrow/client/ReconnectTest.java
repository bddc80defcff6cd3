package io.escrow.client;

import static java.util.stream.Collectors.toList;
import static org.awaitility.Awaitility.await;
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
import io.escrow.SlotInfo;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.codec.Frame;
import io.escrow.testing.EventLoopGroups;
import io.escrow.testing.InMemoryEscrow;
import io.escrow.testing.TestFile;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.unix.FileDescriptor;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Ends the sessions of clients that connect again by themselves. */
@Timeout(60)
class ReconnectTest {

    private static final Frame OK = new Frame.Reply(Status.OK, "");
    private static final Duration LONG = Duration.ofSeconds(30);

    @TempDir
    Path directory;

    private final Queue<String> events = new ConcurrentLinkedQueue<>();
    private Path path;
    private EscrowClient client;

    @BeforeEach
    void choosePath() {
        path = directory.resolve("s");
    }

    @AfterEach
    void end() throws Exception {
        if (client != null) {
            client.close();
            client.closed().toCompletableFuture().get(30, TimeUnit.SECONDS);
        }
    }

    /** Notes what the client tells. */
    private final class Notes implements SessionListener {
        @Override
        public void sessionLost(int inDoubt) {
            events.add("lost, in doubt: " + inDoubt);
        }

        @Override
        public void sessionRegained() {
            events.add("regained");
        }
    }

    private EscrowClientBuilder builder() {
        return EscrowClient.builder().path(path.toString()).reconnect(LONG, 10).sessionListener(new Notes());
    }

    private EscrowClient connect() {
        client = builder().connect().join();
        return client;
    }

    /** Answers nothing in the first session but the greeting, and everything later. */
    private FakeDaemon silentAtFirst(Frame nextHello) {
        AtomicInteger sessions = new AtomicInteger();
        return new FakeDaemon(path, frame -> {
            if (frame instanceof Frame.Hello) {
                return sessions.incrementAndGet() == 1 ? FakeDaemon.HELLO : nextHello;
            }
            return sessions.get() == 1 ? null : OK;
        });
    }

    /** Makes requests, the first two of which are sent, each in a packet of its own. */
    private List<CompletableFuture<Void>> deletes(FakeDaemon daemon, int count) {
        List<CompletableFuture<Void>> futures = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            futures.add(client.delete(0, i));
            int sent = Math.min(i + 1, 2);
            await().until(() -> indexes(daemon).size() == sent);
        }
        return futures;
    }

    private static List<Integer> indexes(FakeDaemon daemon) {
        return daemon.received().stream()
                .filter(frame -> !(frame instanceof Frame.Hello))
                .map(ReconnectTest::index)
                .collect(toList());
    }

    private static int index(Frame request) {
        if (request instanceof Frame.Delete delete) {
            return delete.index();
        }
        return request instanceof Frame.Add add ? add.index() : ((Frame.ListRequest) request).from();
    }

    private static EscrowConnectionException lost(CompletableFuture<?> future, boolean maybeCarriedOut) {
        EscrowConnectionException failure = assertInstanceOf(EscrowConnectionException.class, failureOf(future));
        assertEquals(maybeCarriedOut, failure.maybeCarriedOut(), failure.getMessage());
        return failure;
    }

    private static EscrowException failureOf(CompletableFuture<?> future) {
        Throwable cause = assertThrows(CompletionException.class, future::join).getCause();
        return assertInstanceOf(EscrowException.class, cause);
    }

    @Test
    void failsWhatIsInDoubtAndSendsTheRestInOrder() {
        try (FakeDaemon daemon = silentAtFirst(FakeDaemon.HELLO)) {
            connect();
            List<CompletableFuture<Void>> futures = deletes(daemon, 5);
            daemon.hangUp();

            CompletableFuture.allOf(futures.subList(2, 5).toArray(CompletableFuture[]::new))
                    .join();
            lost(futures.get(0), true);
            lost(futures.get(1), true);
            assertEquals(List.of(0, 1, 2, 3, 4), indexes(daemon));
            assertEquals(List.of("lost, in doubt: 2", "regained"), List.copyOf(events));
            assertFalse(client.closed().toCompletableFuture().isDone());
        }
    }

    @Test
    void doesNotSendWhatIsCancelledBecauseAnotherRequestIsInDoubt() {
        try (FakeDaemon daemon = silentAtFirst(FakeDaemon.HELLO)) {
            connect();
            List<CompletableFuture<Void>> futures = deletes(daemon, 4);
            futures.get(1).whenComplete((nothing, failure) -> futures.get(2).cancel(false));
            daemon.hangUp();

            futures.get(3).join();
            assertEquals(List.of(0, 1, 3), indexes(daemon));
        }
    }

    @Test
    void listenerCanCancelWhatWaits() {
        try (FakeDaemon daemon = silentAtFirst(FakeDaemon.HELLO)) {
            List<CompletableFuture<Void>> futures = new ArrayList<>();
            client = builder()
                    .sessionListener(new SessionListener() {
                        @Override
                        public void sessionRegained() {
                            futures.get(2).cancel(false);
                            client.delete(0, 99);
                            throw new IllegalStateException("a test");
                        }
                    })
                    .connect()
                    .join();
            futures.addAll(deletes(daemon, 4));
            daemon.hangUp();

            await().until(() -> indexes(daemon).equals(List.of(0, 1, 3, 99)));
        }
    }

    @Test
    void bulkCallGoesOn() {
        int many = 5_000;
        AtomicInteger answered = new AtomicInteger();
        CompletableFuture<Void> asked = new CompletableFuture<>();
        UnaryOperator<Frame> answers = frame -> {
            if (frame instanceof Frame.Hello) {
                return FakeDaemon.HELLO;
            } else if (answered.incrementAndGet() == 1_100) {
                asked.complete(null);
            }
            return answered.get() >= 1_100 && answered.get() < 2_000 ? null : OK;
        };
        try (FakeDaemon daemon = new FakeDaemon(path, answers)) {
            connect();
            CompletableFuture<BulkResult> bulk = client.deleteAll(
                    IntStream.range(0, many).mapToObj(i -> new SlotKey(0, i)).iterator());
            asked.thenRunAsync(daemon::hangUp).join();
            BulkResult result = bulk.join();

            assertFalse(result.failures().isEmpty());
            assertEquals(many, result.succeeded() + result.failures().size());
            for (EscrowException failure : result.failures().values()) {
                assertTrue(assertInstanceOf(EscrowConnectionException.class, failure)
                        .maybeCarriedOut());
            }
            List<Integer> received = indexes(daemon);
            assertTrue(received.equals(received.stream().sorted().distinct().collect(toList())), "once, in order");
            assertEquals(List.of("lost, in doubt: " + result.failures().size(), "regained"), List.copyOf(events));
        }
    }

    @Test
    void doesNotMakeOneListOfTwoSessions() {
        // One packet in flight: the second page waits for the answer to what is in the packet of the first.
        Frame hello = new Frame.Hello(Frame.VERSION, new Limits(32, 64, 1_024, 4, 4, 1, 0));
        UnaryOperator<Frame> answers = frame -> {
            if (frame instanceof Frame.Hello) {
                return hello;
            }
            return frame instanceof Frame.ListRequest page
                    ? new Frame.ListPage(0, page.from() == 0 ? 5 : -1, List.of(new SlotInfo(0, page.from(), 0, true)))
                    : null;
        };
        try (FakeDaemon daemon = new FakeDaemon(path, answers)) {
            connect();
            CompletableFuture<CompletableFuture<List<SlotInfo>>> list = new CompletableFuture<>();
            CompletableFuture<Void> silent = CompletableFuture.supplyAsync(
                            () -> {
                                list.complete(client.list(0));
                                return client.delete(0, 7);
                            },
                            client.eventLoop())
                    .join();
            await().until(() -> indexes(daemon).equals(List.of(0, 7)));
            // The first page is answered before this is.
            daemon.hangUp();

            lost(silent, true);
            lost(list.join(), true);
        }
    }

    @Test
    void checksWhatWaitsAgainstTheLimitsOfTheNewDaemon() throws Exception {
        Limits small = new Limits(32, 8, 256, 4, 4, 2, 0);
        FileDescriptor device = FileDescriptor.from("/dev/null");
        try (FakeDaemon daemon = silentAtFirst(new Frame.Hello(Frame.VERSION, small))) {
            connect();
            deletes(daemon, 2);
            CompletableFuture<Void> large = client.add(0, 5, new byte[9]);
            CompletableFuture<Void> farewell = client.add(new Deposit(0, 5, null, new byte[1], new byte[1]));
            CompletableFuture<Void> flags = client.add(0, 5, device, new byte[1]);
            CompletableFuture<Void> fits = client.add(0, 6, new byte[8]);
            daemon.hangUp();

            fits.join();
            assertEquals("payload length: 9 (expected: <= 8)", failureOf(large).text());
            assertEquals(
                    "farewell length: 1 (expected: <= 0)", failureOf(farewell).text());
            assertEquals(Status.EOPNOTSUPP, failureOf(flags).status());
            assertEquals(8, client.maxPayload());
            assertEquals(List.of(0, 1, 6), indexes(daemon));
        } finally {
            device.close();
        }
    }

    @Test
    void waitsForItsTurnAgain() {
        try (InMemoryEscrow escrow = InMemoryEscrow.start(path)) {
            connect().add(1, 1, new byte[] {1}).join();
            CompletableFuture<Waiting> queued = new CompletableFuture<>();
            CompletableFuture<EscrowClient> other = EscrowClient.builder()
                    .path(path.toString())
                    .onWaiting(queued::complete)
                    .connect();
            queued.join();
            escrow.endSession();
            EscrowClient served = other.join();
            CompletableFuture<Entry> waiting = client.get(1, 1);
            served.update(1, 1, new byte[] {2}).join();
            assertFalse(waiting.isDone());
            served.close();

            assertEquals(2, waiting.join().payload()[0]);
        }
    }

    @Test
    void tellsThatTheSessionIsNewWhenTheEscrowHasLostEverything() throws Exception {
        TestFile file = new TestFile(directory, "a");
        FileDescriptor descriptor = file.open();
        InMemoryEscrow escrow = InMemoryEscrow.start(path);
        try {
            connect().add(1, 1, descriptor, new byte[1]).join();
            assertEquals(0, events.size());
            escrow.close();
            await().until(() -> events.size() == 1);
            CompletableFuture<Entry> gone = client.get(1, 1);
            CompletableFuture<Void> stored = client.add(1, 2, descriptor, new byte[1]);
            escrow = InMemoryEscrow.start(path);

            stored.join();
            assertEquals(Status.ENOENT, failureOf(gone).status());
            assertEquals(List.of("lost, in doubt: 0", "regained"), List.copyOf(events));
            assertEquals(2, file.openCount());
        } finally {
            escrow.close();
            descriptor.close();
        }
        file.awaitOpenCount(0);
    }

    @Test
    void givesUpWhenItTakesTooLong() {
        FakeDaemon daemon = FakeDaemon.silent(path);
        client = builder().reconnect(Duration.ofMillis(300), 10).connect().join();
        List<CompletableFuture<Void>> futures = deletes(daemon, 3);
        daemon.close();

        EscrowConnectionException failure = lost(futures.get(2), false);
        assertTrue(
                failure.text()
                        .matches("not connected again: ETIMEDOUT: not connected within 300 ms: no .*; the request was"
                                + " not sent"),
                failure.text());
        client.closed().toCompletableFuture().join();
        lost(client.delete(0, 0), false);
        assertEquals(List.of("lost, in doubt: 2"), List.copyOf(events));
    }

    @Test
    void givesUpWhenSessionsAreLostAgainAndAgain() {
        AtomicInteger sessions = new AtomicInteger();
        UnaryOperator<Frame> answers = frame -> {
            if (frame instanceof Frame.Hello) {
                sessions.incrementAndGet();
                return FakeDaemon.HELLO;
            }
            return new Frame.Reply(Status.ECANCELED, "ended");
        };
        try (FakeDaemon daemon = new FakeDaemon(path, answers)) {
            client = builder().reconnect(LONG, 3).connect().join();
            for (int i = 0; i < 3; i++) {
                lost(client.delete(0, i), true);
            }
            lost(client.delete(0, 3), true);
            client.closed().toCompletableFuture().join();

            assertEquals(
                    "the connection to escrowd ended: ECANCELED: ended; not connected again, because 3 sessions were"
                            + " lost within 30000 ms before; the request was not sent",
                    lost(client.delete(0, 4), false).text());
            assertEquals(4, sessions.get());
            assertEquals(List.of(0, 1, 2, 3), indexes(daemon));
        }
    }

    @Test
    void doesNotConnectAgainToADaemonThatDoesNotUnderstandIt() {
        UnaryOperator<Frame> answers =
                frame -> frame instanceof Frame.Hello ? FakeDaemon.HELLO : new Frame.Info(0, 1, 2, 3);
        try (FakeDaemon daemon = new FakeDaemon(path, answers)) {
            connect();
            assertEquals(Status.EPROTO, failureOf(client.delete(0, 0)).status());
            client.closed().toCompletableFuture().join();

            assertTrue(lost(client.delete(0, 1), false).text().contains("would end in the same way"));
            assertEquals(List.of(0), indexes(daemon));
            assertEquals(0, events.size());
        }
    }

    @Test
    void isClosedWhileItConnectsAgain() throws Exception {
        FakeDaemon daemon = FakeDaemon.silent(path);
        connect();
        List<CompletableFuture<Void>> futures = deletes(daemon, 3);
        daemon.close();
        lost(futures.get(0), true);
        client.close();

        assertEquals(
                "the client was closed; the request was not sent",
                lost(futures.get(2), false).text());
        client.closed().toCompletableFuture().join();
        assertTrue(client.eventLoop().parent().terminationFuture().await(30, TimeUnit.SECONDS));
    }

    @Test
    void isClosedByWhoLearnsThatItsRequestIsInDoubt() throws Exception {
        FakeDaemon daemon = FakeDaemon.silent(path);
        connect();
        List<CompletableFuture<Void>> futures = deletes(daemon, 3);
        futures.get(0).whenComplete((nothing, failure) -> client.close());
        daemon.close();

        assertEquals(
                "the client was closed; the request was not sent",
                lost(futures.get(2), false).text());
        client.closed().toCompletableFuture().join();
        assertEquals(List.of(), List.copyOf(events));
    }

    @Test
    void closingIsNoLoss() {
        try (InMemoryEscrow escrow = InMemoryEscrow.start(path)) {
            connect().close();
            client.closed().toCompletableFuture().join();
            assertEquals(0, events.size());
            escrow.endSession();
        }
    }

    @Test
    void endsWithItsEventLoopsWhileItConnectsAgain() {
        EventLoopGroup group = EventLoopGroups.epoll(1);
        FakeDaemon daemon = FakeDaemon.silent(path);
        client = builder().group(group).connect().join();
        List<CompletableFuture<Void>> futures = deletes(daemon, 3);
        daemon.close();
        lost(futures.get(0), true);
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();

        lost(futures.get(2), false);
        client.closed().toCompletableFuture().join();
    }

    @Test
    void blockingCallsWaitMeanwhile() throws Exception {
        try (FakeDaemon daemon = silentAtFirst(FakeDaemon.HELLO)) {
            BlockingEscrow escrow = connect().toBlocking(LONG);
            deletes(daemon, 2);
            CompletableFuture<Void> third = CompletableFuture.runAsync(() -> {
                try {
                    escrow.delete(0, 2);
                } catch (EscrowException e) {
                    throw new CompletionException(e);
                }
            });
            daemon.hangUp();

            third.join();
            assertEquals(List.of(0, 1, 2), indexes(daemon));
        }
    }

    @Test
    void refusesOptionsThatAreOutOfRange() {
        EscrowClientBuilder builder = EscrowClient.builder();
        assertEquals(
                "times to reconnect: 1001 (expected: 0..1000)",
                assertThrows(IllegalArgumentException.class, () -> builder.reconnect(LONG, 1_001))
                        .getMessage());
        assertThrows(IllegalArgumentException.class, () -> builder.reconnect(LONG, -1));
        assertThrows(IllegalArgumentException.class, () -> builder.reconnect(Duration.ZERO, 1));
    }
}
