package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tells observers what happens, and does not let them disturb it. */
class ObserverTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(1000, 1);

    /** Notes what it is told, by its first word. */
    private static final class Notes implements HandoverObserver {
        private final Queue<String> told = new ConcurrentLinkedQueue<>();
        private volatile Duration queued;
        private volatile StartReport started;
        private volatile HandoverReport handedOver;
        private volatile Throwable failed;

        /** Waits until something was told, and forgets it. */
        void awaitTold(String... expected) {
            await().untilAsserted(() -> assertEquals(List.of(expected), List.copyOf(told)));
            told.clear();
        }

        @Override
        public void queued(Duration waited) {
            queued = waited;
            told.add("queued");
        }

        @Override
        public void paused(Duration pause) {
            assertTrue(!pause.isNegative() && pause.compareTo(TIME) < 0, pause::toString);
            told.add("paused");
        }

        @Override
        public void started(StartReport report) {
            started = report;
            told.add("started");
        }

        @Override
        public void handedOver(HandoverReport report) {
            handedOver = report;
            told.add("handedOver");
        }

        @Override
        public void handoverFailed(Throwable reason) {
            failed = reason;
            told.add("handoverFailed");
        }

        @Override
        public void sessionLost() {
            told.add("sessionLost");
        }

        @Override
        public void sessionRegained() {
            told.add("sessionRegained");
        }
    }

    private final Notes notes = new Notes();
    private final Notes nextNotes = new Notes();

    /** Starts a server with some connections. */
    private ServerHandover startObserved(Duration wave) throws Exception {
        ServerHandoverBuilder description = echoServer().observer(notes);
        if (wave != null) {
            description.waves(wave);
        }
        ServerHandover server = start(description);
        notes.awaitTold("queued", "started");
        connect(3);
        awaitConnections(server, 3);
        return server;
    }

    private void assertNextIsTold(StartReport report) {
        nextNotes.awaitTold("queued", "paused", "paused", "paused", "started");
        assertEquals(report, nextNotes.started);
        assertEquals(3, report.pauses().measured());
    }

    @Test
    void aHandoverAtOnce() throws Exception {
        ServerHandover server = startObserved(null);
        HandoverReport report = handOver(server);
        notes.awaitTold("handedOver");
        assertEquals(report, notes.handedOver);
        assertNextIsTold(start(echoServer().observer(nextNotes)).startReport());
    }

    @Test
    void aHandoverInWaves() throws Exception {
        ServerHandover server = startObserved(Duration.ofMillis(20));
        AtomicLong waiting = new AtomicLong();
        CompletableFuture<ServerHandover> starting = echoServer(escrow().onWaiting(w -> waiting.set(System.nanoTime())))
                .observer(nextNotes)
                .start();
        await().until(() -> waiting.get() != 0);
        long waited = System.nanoTime() - waiting.get();
        handOver(server);
        notes.awaitTold("handedOver");
        assertNextIsTold(add(starting.join()).startReport());
        assertTrue(nextNotes.queued.toNanos() >= waited, nextNotes.queued::toString);
    }

    @Test
    void wavesThatNobodyWaitsFor() throws Exception {
        ServerHandover server = startObserved(Duration.ofMillis(20));
        handOver(server);
        notes.awaitTold("queued", "handedOver");
        assertNextIsTold(start(echoServer().observer(nextNotes)).startReport());
    }

    @Test
    void aHandoverThatFailsAndOneThatDoesNot() throws Exception {
        ServerHandover server = startObserved(null);
        daemon.close();
        notes.awaitTold("sessionLost");
        EscrowException reason = assertThrows(EscrowException.class, () -> handOver(server));
        notes.awaitTold("handoverFailed");
        assertEquals(reason, notes.failed);
        restartDaemon();
        handOver(server);
        notes.awaitTold("queued", "sessionRegained", "handedOver");
        start();
    }

    @Test
    void wavesThatFailAndGoBack() throws Exception {
        ServerHandover server = startObserved(Duration.ofMillis(20));
        CompletableFuture<Object> waits = new CompletableFuture<>();
        CompletableFuture<EscrowClient> other =
                escrow().onWaiting(waits::complete).connect();
        waits.join();
        // The other one gets the session, and does not come to meet this process.
        EscrowException late =
                assertThrows(EscrowException.class, () -> handOver(server, forEachStep(Duration.ofSeconds(1))));
        assertEquals(Status.ETIMEDOUT, late.status());
        notes.awaitTold("handoverFailed");
        other.join().close();
        // It was not lost: it had been given up.
        notes.awaitTold("queued");
        handOver(server);
        notes.awaitTold("queued", "handedOver");
        start();
    }

    @Test
    void aCrashSafeServerThatLosesItsSession() throws Exception {
        crashSafe = true;
        ServerHandover server = startObserved(null);
        awaitEscrowed(server, 3);
        for (int round = 0; round < 2; round++) {
            daemon.close();
            notes.awaitTold("sessionLost");
            restartDaemon();
            notes.awaitTold("queued", "sessionRegained");
        }
        awaitEscrowed(server, 3);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void anObserverThatThrowsDisturbsNothing(boolean waves) throws Exception {
        HandoverObserver failing = failing();
        ServerHandoverBuilder description = echoServer().observer(failing);
        if (waves) {
            description.waves(Duration.ofMillis(20));
        }
        ServerHandover server = start(description);
        List<Peer> peers = new ArrayList<>(connect(3));
        awaitConnections(server, 3);
        daemon.close();
        await().until(() -> server.context().session().isLost());
        assertThrows(EscrowException.class, () -> handOver(server));
        restartDaemon();
        CompletableFuture<ServerHandover> starting = null;
        if (waves) {
            CompletableFuture<Object> waits = new CompletableFuture<>();
            server.context().session().regain().join();
            starting = echoServer(escrow().onWaiting(waits::complete))
                    .observer(failing)
                    .start();
            waits.join();
        }
        assertEquals(3, handOver(server).connections());
        ServerHandover next = waves ? add(starting.join()) : start(echoServer().observer(failing));
        assertNotNull(next.startReport());
        for (Peer peer : peers) {
            peer.assertEchoes(RECORD);
        }
    }

    /** Throws whatever it is told, errors included. */
    private static HandoverObserver failing() {
        return (HandoverObserver) Proxy.newProxyInstance(
                HandoverObserver.class.getClassLoader(), new Class<?>[] {HandoverObserver.class}, (p, method, args) -> {
                    throw method.getName().equals("paused")
                            ? new AssertionError("paused")
                            : new IllegalStateException(method.getName());
                });
    }
}
