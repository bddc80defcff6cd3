package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.escrow.handover.protocol.PendingWork;
import io.escrow.testing.PublicFutures;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Closes servers that are being handed over, and hands over servers that are closed. */
class CloseDuringHandoverTest extends HostedHarness {

    private final AtomicLong clock = new AtomicLong();

    private ServerHandover start(boolean hosted, ServerHandoverBuilder builder) throws Exception {
        return hosted ? startHosted(builder) : start(builder);
    }

    private ServerHandoverBuilder builder(boolean hosted, boolean inWaves) {
        ServerHandoverBuilder builder = hosted ? server() : echoServer();
        return inWaves ? builder.waves(Duration.ofMillis(20)) : builder;
    }

    private static CompletableFuture<Void> close(AutoCloseable server) {
        CompletableFuture<Void> closed = new CompletableFuture<>();
        new Thread(() -> {
                    try {
                        server.close();
                        closed.complete(null);
                    } catch (Throwable e) {
                        closed.completeExceptionally(e);
                    }
                })
                .start();
        return closed;
    }

    /** Waits until a server that is to be closed knows it. */
    private static void awaitClosing(ServerHandover server) {
        await().until(server::isClosing);
    }

    @ParameterizedTest
    @CsvSource({"false,false,false", "true,false,false", "false,true,false", "true,true,false", "false,true,true"})
    void closeWaitsForAHandoverThatSucceeds(boolean crashSafe, boolean hosted, boolean inWaves) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start(hosted, builder(hosted, inWaves));
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        PendingWork work = PendingWork.begin(onlyConnection(server).channel());
        CompletableFuture<HandoverReport> handover = server.handOver(TIME);
        CompletableFuture<Void> closed = close(server);
        awaitClosing(server);
        assertFalse(closed.isDone());
        work.close();
        assertEquals(1, handover.join().connections());
        closed.join();
        assertEquals(1, start(hosted, builder(hosted, inWaves)).startReport().adopted());
        peer.assertEchoes(RECORD);
    }

    @ParameterizedTest
    @CsvSource({"false,false,false", "true,false,false", "false,true,false", "true,true,false", "true,false,true"})
    void closeEndsAllAfterAHandoverThatFails(boolean crashSafe, boolean hosted, boolean inWaves) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start(hosted, builder(hosted, inWaves));
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        PendingWork.begin(onlyConnection(server).channel());
        CompletableFuture<HandoverReport> handover = server.handOver(new Deadline(Duration.ofSeconds(1), clock::get));
        CompletableFuture<Void> closed = close(server);
        awaitClosing(server);
        clock.addAndGet(Duration.ofMinutes(1).toNanos());
        await().until(handover::isDone);
        assertEquals(Status.ETIMEDOUT, PublicFutures.failureOf(handover).status());
        closed.join();
        peer.assertEnds();
        assertEquals(0, start(hosted, builder(hosted, inWaves)).startReport().adopted());
    }

    /** The handover fails while another client has the session, and the server is closed before it has the session back. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void nobodyMeetsAServerThatIsClosedWithoutASession(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start(builder(false, true));
        CompletableFuture<EscrowClient> queued = queue(escrow()::connect);
        CompletableFuture<HandoverReport> handover = server.handOver(new Deadline(Duration.ofSeconds(1), clock::get));
        EscrowClient other = queued.join();
        clock.addAndGet(Duration.ofMinutes(1).toNanos());
        await().until(handover::isDone);
        assertEquals(Status.ETIMEDOUT, PublicFutures.failureOf(handover).status());
        server.close();
        other.close();
        assertEquals(List.of("echo"), start(builder(false, true)).startReport().adoptedListeners());
    }

    @Test
    void closedTransportWaitsForItsHandover() throws Exception {
        HandoverTransport transport = server().transport();
        ServerHandover server = startHosted(transport);
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        PendingWork work = PendingWork.begin(onlyConnection(server).channel());
        CompletableFuture<HandoverReport> handover = transport.handOver(TIME);
        CompletableFuture<Void> closed = close(transport);
        awaitClosing(server);
        work.close();
        assertEquals(1, handover.join().connections());
        closed.join();
        startHosted(server());
        peer.assertEchoes(RECORD);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void closedServerIsNotHandedOver(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start();
        server.close();
        EscrowException refused = assertThrows(EscrowException.class, () -> handOver(server));
        assertEquals(Status.ECANCELED, refused.status());
        assertTrue(refused.text().contains("was closed"), refused.text());
        // It has no session that others would wait for.
        start();
        connect().assertEchoes(RECORD);
    }

    @Test
    void closedTransportIsNotHandedOver() throws Exception {
        HandoverTransport transport = server().transport();
        startHosted(transport);
        transport.close();
        CompletableFuture<HandoverReport> handover = transport.handOver(TIME);
        assertEquals(Status.ECANCELED, PublicFutures.failureOf(handover).status());
        startHosted(server());
        connect().assertEchoes(RECORD);
    }

    @Test
    void reportIsThereAfterClose() throws Exception {
        ServerHandover server = start();
        HandoverReport report = handOver(server);
        server.close();
        assertEquals(report, handOver(server));
        start();
    }
}
