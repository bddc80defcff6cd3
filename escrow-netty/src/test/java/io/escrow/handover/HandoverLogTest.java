package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.handover.link.ProcessLink;
import io.escrow.handover.link.ProtocolVersion;
import io.escrow.handover.protocol.PendingWork;
import io.escrow.internal.Futures;
import io.escrow.testing.EventLoopGroups;
import io.escrow.testing.LogLines;
import io.netty.channel.EventLoopGroup;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Looks at what is logged, and said, of handovers. */
class HandoverLogTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(1_000, 1);

    @Test
    void handoverIsLoggedWithWhatStays() throws Exception {
        ServerHandover server = start(echoServer().immovable(Echo.class, "a test says so"));
        connect(3);
        awaitConnections(server, 3);
        try (LogLines log = new LogLines(ServerHandover.class)) {
            handOver(server);
            assertEquals(1, log.count("INFO", "handed over: listeners 1, connections 0; staying 3;"));
            assertEquals(1, log.count("WARN", "staying, and drained here: a test says so"));
            assertEquals(1, log.count("WARN", "(connections: 3, one of them from /127.0.0.1:"));
            assertEquals(1, log.count("WARN", ""));
        }
        start();
    }

    @Test
    void reasonsAreLoggedInALimitedNumber() {
        List<HandoverReport.Staying> staying = new ArrayList<>();
        for (int i = 0; i < 1_000; i++) {
            staying.add(new HandoverReport.Staying(null, "reason " + i));
        }
        try (LogLines log = new LogLines(ServerHandover.class)) {
            ReportLog.handedOver(new HandoverReport(1, 0, staying, Duration.ZERO, Duration.ZERO));
            assertEquals(20, log.count("WARN", "staying, and drained here: reason "));
            assertEquals(1, log.count("WARN", "for 980 more reasons"));
        }
    }

    @Test
    void failedHandoverIsLogged() throws Exception {
        ServerHandover server = start();
        connect();
        PendingWork work = PendingWork.begin(onlyConnection(server).channel());
        try (LogLines log = new LogLines(ServerHandover.class)) {
            EscrowException late = assertThrows(EscrowException.class, () -> handOver(server, Duration.ofMillis(50)));
            assertEquals(1, log.count("WARN", "could not be handed over, and goes on: " + late.getMessage()));
            assertEquals(0, log.stacks());
            ReportLog.failed(Futures.toEscrowException(new NoClassDefFoundError("a/B")));
            assertEquals(1, log.stacks());
        }
        work.close();
    }

    /** Waves are no remedy where waves were asked for. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void lateHandoverNamesWhatHelps(boolean inWaves) throws Exception {
        ServerHandover server = start(inWaves ? echoServer().waves(Duration.ofMillis(20)) : echoServer());
        connect();
        PendingWork work = PendingWork.begin(onlyConnection(server).channel());
        EscrowException late = assertThrows(EscrowException.class, () -> handOver(server, whenItOnlyWaits()));
        assertEquals(!inWaves, late.text().contains("or move in waves"), late.text());
        assertEquals(inWaves, late.text().contains("no process took over in waves"), late.text());
        work.close();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void handoverDuringWhichTheDaemonEndsSaysSo(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start();
        Peer peer = connect();
        PendingWork work = PendingWork.begin(onlyConnection(server).channel());
        CompletableFuture<HandoverReport> handover = server.handOver(TIME);
        daemon.close();
        server.context().client().eventLoop().terminationFuture().await(10, TimeUnit.SECONDS);
        work.close();
        EscrowException failure = assertThrows(EscrowException.class, () -> join(handover));
        // What it says depends on how far the handover had come: the session is lost, or there is none to be had.
        assertTrue(failure.text().matches(".*(session|connection|start escrowd).*"), failure.text());
        peer.assertEchoes(RECORD);
        restartDaemon();
        if (crashSafe) {
            awaitSession(server);
        }
    }

    private static void join(CompletableFuture<HandoverReport> handover) throws EscrowException {
        try {
            handover.join();
        } catch (CompletionException e) {
            throw (EscrowException) e.getCause();
        }
    }

    /** The event loop of a client ends with its session: the step that is followed says so, and not its progress. */
    @Test
    void progressOnAnEventLoopThatHasEndedIsStillTold() {
        EventLoopGroup ended = EventLoopGroups.epoll(1);
        ended.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        AtomicInteger told = new AtomicInteger();
        new ProgressTicker(ended.next(), p -> told.incrementAndGet(), Progress.Step.RESTING, () -> 1, 1).stop();
        assertEquals(1, told.get());
    }

    @Test
    void lostSessionIsSaidOnceForAllWaves() throws Exception {
        ServerHandover first = start();
        List<Peer> peers = connect(4);
        awaitConnections(first, 4);
        handOver(first);
        try (LogLines log = new LogLines(ServerHandover.class);
                FakePredecessor before = new FakePredecessor(escrow(), group.next())) {
            // The link to the process before is on the client's event loop, which must not end with the session.
            CompletableFuture<ServerHandover> starting =
                    echoServer(escrow().group(group)).start();
            before.meet(ProtocolVersion.OWN.encode());
            assertEquals(ProcessLink.Kind.READY, before.link.receive().kind());
            daemon.close();
            before.records.forEach((index, record) -> {
                before.link.write(ProcessLink.Kind.MOVED, index, record.encode());
                before.link.send(ProcessLink.Kind.WAVE);
                assertEquals(ProcessLink.Kind.TAKEN, before.link.receive().kind());
            });
            before.link.send(ProcessLink.Kind.DONE);
            assertEquals(4, add(starting.join()).startReport().adopted());
            assertEquals(1, log.count("WARN", "not all connections are settled"));
        }
        for (Peer peer : peers) {
            peer.assertEchoes(RECORD);
        }
        restartDaemon();
    }

    @Test
    void handoverThatIsBrokenOffIsNamedSo() throws Exception {
        ServerHandover first = start();
        List<Peer> peers = connect(2);
        awaitConnections(first, 2);
        handOver(first);
        try (LogLines log = new LogLines(ServerHandover.class);
                FakePredecessor before = new FakePredecessor(escrow(), group.next())) {
            CompletableFuture<ServerHandover> starting = echoServer().start();
            before.meet(ProtocolVersion.OWN.encode());
            assertEquals(ProcessLink.Kind.READY, before.link.receive().kind());
            // It has its session back, and goes on with the rest.
            before.link.send(ProcessLink.Kind.LATER);
            ServerHandover next = add(starting.join());
            assertEquals(
                    List.of("the rest of the connections: the process before goes on with them"),
                    next.startReport().left());
            assertEquals(1, log.count("WARN", "the process before has broken off its handover"));
            handOver(next);
        }
        start();
        for (Peer peer : peers) {
            peer.assertEchoes(RECORD);
        }
    }
}
