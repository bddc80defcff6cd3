package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.codec.Frame;
import io.escrow.testing.InMemoryEscrow;
import io.escrow.testing.InMemoryEscrow.Fault;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Adopted connections go on when the escrow is sure to learn whose they are, and not when it has answered. */
class SettlingTest extends HandoverHarness {

    private static final int CONNECTION_TAG = 1;
    private static final int MANY = 3;

    private final CountDownLatch answering = new CountDownLatch(1);

    @AfterEach
    void answer() {
        answering.countDown();
    }

    private ServerHandoverBuilder echo(boolean inWaves) {
        return inWaves ? echoServer().waves(Duration.ofMillis(20)) : echoServer();
    }

    private List<Peer> peers(ServerHandover server) throws Exception {
        List<Peer> peers = connect(MANY);
        for (Peer peer : peers) {
            peer.assertEchoes(Peer.bytes(10, 1));
        }
        awaitConnections(server, MANY);
        return peers;
    }

    /** Lets the escrow do something when the process that fetches connections settles them. */
    private void whenSettled(Fault fault, CountDownLatch until) {
        AtomicBoolean fetched = new AtomicBoolean();
        ((InMemoryEscrow) daemon).faults(request -> {
            if (request.tag() != CONNECTION_TAG) {
                return null;
            }
            if (request instanceof Frame.Get) {
                fetched.set(true);
            }
            boolean settles = fetched.get() && (request instanceof Frame.Delete || request instanceof Frame.Update);
            if (settles) {
                await(until);
            }
            return settles ? fault : null;
        });
    }

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(TIME.toMillis(), TimeUnit.MILLISECONDS));
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @ParameterizedTest
    @CsvSource({"false, false", "false, true", "true, false", "true, true"})
    void connectionsAreServedBeforeTheEscrowHasAnswered(boolean safe, boolean inWaves) throws Exception {
        crashSafe = safe;
        ServerHandover server = start(echo(inWaves));
        List<Peer> peers = peers(server);
        whenSettled(null, answering);
        CompletableFuture<ServerHandover> starting = startNext(echo(inWaves));
        assertEquals(MANY, handOver(server).connections());
        for (Peer peer : peers) {
            peer.assertEchoes(Peer.bytes(10, 2));
        }
        // One that ends meanwhile leaves nothing behind.
        peers.get(0).close();
        assertFalse(starting.isDone());
        answering.countDown();
        ServerHandover next = add(starting.join());
        assertEquals(MANY, next.startReport().adopted());
        awaitConnections(next, MANY - 1);
        awaitEscrowed(next, crashSafe ? MANY - 1 : 0);
    }

    /** The escrow does what it was told, and its client does not learn of it. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void connectionsGoOnThoughTheEscrowNeverAnswers(boolean safe) throws Exception {
        crashSafe = safe;
        ServerHandover server = start();
        List<Peer> peers = peers(server);
        handOver(server);
        answering.countDown();
        whenSettled(Fault.ANSWER_LOST, answering);
        ServerHandover next = add(echoServer().start().join());
        assertEquals(MANY, next.startReport().adopted());
        for (Peer peer : peers) {
            peer.assertEchoes(Peer.bytes(10, 2));
        }
        ((InMemoryEscrow) daemon).faults(request -> null);
        if (crashSafe) {
            awaitSession(next);
        }
        handOver(next);
        assertEquals(MANY, start().startReport().adopted());
        for (Peer peer : peers) {
            peer.assertEchoes(Peer.bytes(10, 3));
        }
    }
}
