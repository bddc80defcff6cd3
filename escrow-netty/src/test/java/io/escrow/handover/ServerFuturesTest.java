package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.handover.connection.Connection;
import io.escrow.handover.protocol.Protocol;
import io.escrow.testing.PublicFutures;
import io.netty.channel.ChannelException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Lets every future that a server gives out fail, and cancels it. */
class ServerFuturesTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(1_000, 1);

    private static Set<String> futuresOf(Class<?> member) {
        return PublicFutures.ofPackageOf(member).stream()
                .map(method -> method.getDeclaringClass().getSimpleName() + "." + method.getName())
                .collect(Collectors.toSet());
    }

    @Test
    void eachFutureHasATestHere() {
        assertEquals(
                Set.of(
                        "ServerHandoverBuilder.start",
                        "ServerHandover.handOver",
                        "ServerHandover.drained",
                        "ServerHandover.checkpoint",
                        "HandoverTransport.server",
                        "HandoverTransport.handOver"),
                futuresOf(ServerHandover.class));
        // The first one is the server's; a protocol gives the others to the server.
        assertEquals(
                Set.of("ProtocolContext.checkpoint", "ProtocolConnection.restore", "ProtocolConnection.end"),
                futuresOf(Protocol.class));
    }

    private static EscrowException failureOf(CompletableFuture<?> future) {
        await().until(future::isDone);
        return PublicFutures.failureOf(future);
    }

    @Test
    void startFailsWithoutADaemon() throws Exception {
        daemon.close();

        assertEquals(Status.ECONNREFUSED, failureOf(echoServer().start()).status());
        restartDaemon();
    }

    @Test
    void aTransportFailsWithoutADaemon() throws Exception {
        daemon.close();
        HandoverTransport transport = ServerHandover.with(escrow()).transport();
        CompletableFuture<ServerHandover> cancelled = transport.server();

        assertTrue(cancelled.cancel(false));
        PublicFutures.assertCancelled(cancelled);
        assertThrows(ChannelException.class, transport.serverChannels("echo")::newChannel);
        assertEquals(Status.ECONNREFUSED, failureOf(transport.server()).status());
        assertEquals(Status.ECONNREFUSED, failureOf(transport.handOver(TIME)).status());
        restartDaemon();
    }

    @Test
    void startFailsWhenTheAddressIsInUse() throws Exception {
        try (ServerSocket occupied = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = occupied.getLocalPort();
            EscrowException failure = failureOf(echoServer().start());

            assertEquals(Status.EADDRINUSE, failure.status());
            String expected = "listener echo can't be bound to "
                    + new InetSocketAddress(InetAddress.getLoopbackAddress(), port) + ": ";
            assertTrue(failure.text().startsWith(expected), failure.text());
        }
    }

    @Test
    void startFailsWhenItsTurnDoesNotCome() throws Exception {
        start();
        CompletableFuture<ServerHandover> second =
                echoServer(escrow().connectTimeout(Duration.ofMillis(100))).start();

        assertEquals(Status.ETIMEDOUT, failureOf(second).status());
    }

    @Test
    void startThatIsCancelledLeavesTheQueue() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        CompletableFuture<Object> waits = new CompletableFuture<>();
        CompletableFuture<ServerHandover> second =
                echoServer(escrow().onWaiting(waits::complete)).start();
        waits.join();

        assertTrue(second.cancel(false));
        PublicFutures.assertCancelled(second);
        handOver(server);
        // Nobody else is in the queue by now, and nobody has taken anything.
        ServerHandover third = start();
        assertEquals(1, third.startReport().adopted());
        peer.assertEchoes(RECORD);
    }

    @Test
    void startOfARunningServerCannotBeCancelled() throws Exception {
        CompletableFuture<ServerHandover> start = echoServer().start();
        ServerHandover server = add(start.join());

        assertFalse(start.cancel(true));
        assertFalse(start.isCancelled());
        connect().assertEchoes(RECORD);
        assertEquals(server, start.get());
    }

    @Test
    void startCannotBeCancelledAfterItsTurn() throws Exception {
        CompletableFuture<CompletableFuture<ServerHandover>> start = new CompletableFuture<>();
        CompletableFuture<Boolean> cancelled = new CompletableFuture<>();
        start.complete(echoServer()
                .observer(new HandoverObserver() {
                    @Override
                    public void queued(Duration time) {
                        cancelled.complete(start.join().cancel(true));
                    }
                })
                .start());

        assertFalse(cancelled.join());
        add(start.join().join());
        connect().assertEchoes(RECORD);
    }

    @Test
    void startThatHasFailedCannotBeCancelled() throws Exception {
        daemon.close();
        CompletableFuture<ServerHandover> start = echoServer().start();
        failureOf(start);

        assertFalse(start.cancel(true));
        restartDaemon();
    }

    @Test
    void handOverFailsWithoutADaemon() throws Exception {
        ServerHandover server = start();
        daemon.close();
        server.context().client().closed().toCompletableFuture().join();

        assertEquals(Status.ECONNREFUSED, failureOf(server.handOver(TIME)).status());
        connect().assertEchoes(RECORD);
        restartDaemon();
    }

    @Test
    void whoAsksForAHandoverAgainGetsTheSameReport() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        awaitConnections(server, 1);
        CompletableFuture<HandoverReport> first = server.handOver(TIME);
        CompletableFuture<HandoverReport> second = server.handOver(Duration.ofNanos(1));

        assertTrue(second.cancel(true));
        PublicFutures.assertCancelled(second);
        assertEquals(1, first.join().connections());
        assertSame(first.join(), server.handOver(TIME).join());
        start();
        peer.assertEchoes(RECORD);
    }

    @Test
    void manyThreadsAskForOneHandover() throws Exception {
        AtomicInteger handovers = new AtomicInteger();
        ServerHandover server = start(echoServer().observer(new HandoverObserver() {
            @Override
            public void handedOver(HandoverReport report) {
                handovers.incrementAndGet();
            }
        }));
        connect();
        awaitConnections(server, 1);
        Set<HandoverReport> reports = Collections.newSetFromMap(new IdentityHashMap<>());
        CyclicBarrier barrier = new CyclicBarrier(8);
        List<CompletableFuture<HandoverReport>> asked = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            asked.add(CompletableFuture.supplyAsync(
                    () -> {
                        assertDoesNotThrow(() -> barrier.await());
                        return server.handOver(TIME).join();
                    },
                    task -> new Thread(task).start()));
        }
        asked.forEach(report -> reports.add(report.join()));

        assertEquals(1, reports.size());
        assertEquals(1, handovers.get());
        start();
    }

    @Test
    void allWhoAskedForAHandoverThatFailsAreTold() throws Exception {
        ServerHandover server = start();
        daemon.close();
        server.context().client().closed().toCompletableFuture().join();
        CompletableFuture<HandoverReport> first = server.handOver(TIME);
        CompletableFuture<HandoverReport> second = server.handOver(TIME);

        assertEquals(Status.ECONNREFUSED, failureOf(first).status());
        assertEquals(Status.ECONNREFUSED, failureOf(second).status());
        restartDaemon();
        assertEquals(0, server.handOver(TIME).join().connections());
        start();
    }

    @Test
    void handOverGoesOnWhenItsFutureIsCancelled() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        awaitConnections(server, 1);
        CompletableFuture<HandoverReport> handover = server.handOver(TIME);

        handover.cancel(true);
        await().until(server.drained()::isDone);
        assertEquals(1, start().startReport().adopted());
        peer.assertEchoes(RECORD);
    }

    @Test
    void drainedIsNotCancelledForOthers() throws Exception {
        ServerHandover server = start();
        CompletableFuture<Void> mine = server.drained();
        CompletableFuture<Void> others = server.drained();

        assertTrue(mine.cancel(true));
        PublicFutures.assertCancelled(mine);
        assertFalse(others.isDone());
        handOver(server);
        others.join();
        server.drained().join();
        start();
    }

    @Test
    void checkpointFailsWithoutADaemon() throws Exception {
        crashSafe = true;
        ServerHandover server = start();
        connect();
        awaitEscrowed(server, 1);
        Connection connection = onlyConnection(server);
        daemon.close();
        server.context().client().closed().toCompletableFuture().join();

        EscrowException ofServer = failureOf(server.checkpoint(connection.channel()));
        EscrowException ofProtocol = failureOf(connection.checkpoint());
        assertEquals(ofServer.status(), ofProtocol.status());
        restartDaemon();
        awaitSession(server);
        awaitEscrowed(server, 1);
    }

    @Test
    void checkpointIsMadeThoughItsFutureIsCancelled() throws Exception {
        crashSafe = true;
        ServerHandover server = start();
        Peer peer = connect();
        awaitEscrowed(server, 1);
        CompletableFuture<Void> checkpoint =
                server.checkpoint(onlyConnection(server).channel());

        checkpoint.cancel(true);
        checkpointOnly(server);
        peer.assertEchoes(RECORD);
    }

    @Test
    void checkpointOfAChannelThatIsNoConnectionIsDone() throws Exception {
        ServerHandover server = start();

        server.checkpoint(server.listeners().get(0)).join();
    }
}
