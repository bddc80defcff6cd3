package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.client.EscrowClient;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Takes the escrow away from a crash-safe server that runs. */
class SessionLossTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(1000, 1);

    private ServerHandover server;

    @BeforeEach
    void startServer() throws Exception {
        crashSafe = true;
        server = start();
    }

    private void awaitSession() {
        awaitSession(server);
    }

    @Test
    void allIsEscrowedAnewWhenTheDaemonIsBack() throws Exception {
        List<Peer> before = connect(20);
        awaitConnections(server, 20);
        daemon.close();
        await().until(() -> server.context().session().isLost());
        List<Peer> meanwhile = connect(5);
        for (Peer peer : meanwhile) {
            peer.assertEchoes(RECORD);
        }
        for (Peer peer : before.subList(0, 3)) {
            peer.close();
        }
        awaitConnections(server, 22);
        restartDaemon();
        awaitSession();
        awaitEscrowed(server, 22);
        crash(server);
        ServerHandover next = start();
        assertEquals(22, next.startReport().foundAfterCrash());
        assertEquals(1, next.startReport().adoptedListeners().size());
        for (Peer peer : before.subList(3, 20)) {
            peer.assertEchoes(RECORD);
        }
        for (Peer peer : meanwhile) {
            peer.assertEchoes(RECORD);
        }
    }

    @Test
    void noSlotStaysOfWhatEndedWithoutASession() throws Exception {
        List<Peer> peers = connect(20);
        awaitEscrowed(server, 20);
        // The next session is made at once, unless the daemon is busy with another.
        CompletableFuture<Object> waits = new CompletableFuture<>();
        CompletableFuture<EscrowClient> other =
                escrow().onWaiting(waits::complete).connect();
        waits.join();
        server.context().client().close();
        other.join();
        for (Peer peer : peers.subList(0, 10)) {
            peer.close();
        }
        awaitConnections(server, 10);
        assertTrue(server.context().session().isLost());
        other.join().close();
        awaitSession();
        awaitEscrowed(server, 10);
        peers.get(15).assertEchoes(RECORD);
    }

    @Test
    void aSessionThatIsLostWhileItIsRegainedIsRegainedAgain() throws Exception {
        server.close();
        AtomicInteger sessions = new AtomicInteger();
        AtomicInteger lost = new AtomicInteger();
        CompletableFuture<ServerHandover> running = new CompletableFuture<>();
        server = start(echoServer().observer(new HandoverObserver() {
            @Override
            public void queued(Duration time) {
                if (sessions.incrementAndGet() == 2) {
                    // Everything was asked of the escrow; the session is not on again yet.
                    running.join().context().client().close();
                }
            }

            @Override
            public void sessionLost() {
                lost.incrementAndGet();
            }
        }));
        running.complete(server);
        Peer peer = connect();
        awaitEscrowed(server, 1);
        server.context().client().close();

        await().until(() -> sessions.get() == 3);
        awaitSession();
        awaitEscrowed(server, 1);
        assertEquals(2, lost.get());
        peer.assertEchoes(RECORD);
    }

    @Test
    void aHandoverUsesTheSessionThatIsOnAgain() throws Exception {
        List<Peer> peers = connect(20);
        awaitConnections(server, 20);
        daemon.close();
        await().until(() -> server.context().session().isLost());
        restartDaemon();
        assertEquals(20, handOver(server).connections());
        assertEquals(20, start().startReport().adopted());
        for (Peer peer : peers) {
            peer.assertEchoes(RECORD);
        }
    }
}
