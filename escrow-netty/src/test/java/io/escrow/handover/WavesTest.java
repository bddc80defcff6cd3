package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.escrow.handover.link.HandoverEndpoint;
import io.escrow.handover.link.ProcessLink;
import io.escrow.handover.link.ProtocolVersion;
import io.escrow.handover.protocol.Movable;
import io.escrow.handover.store.EscrowTable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Hands over in waves to a server, or to a process that misbehaves. */
class WavesTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(50_000, 1);
    private static final int MANY = 120;

    private final List<FakeSuccessor> fakes = new ArrayList<>();

    @AfterEach
    void closeFakes() {
        fakes.forEach(FakeSuccessor::close);
    }

    private ServerHandoverBuilder waves() {
        return echoServer().waves(Duration.ofMillis(20));
    }

    /** Half of them have sent half a record, and some do not read. */
    private List<Peer> busyPeers() throws Exception {
        List<Peer> peers = connect(MANY);
        byte[] framed = Peer.framed(RECORD);
        for (int i = 0; i < MANY; i++) {
            if (i % 2 == 0) {
                peers.get(i).sendRaw(framed, 0, framed.length / 2);
            } else if (i % 30 == 1) {
                peers.get(i).send(Peer.bytes(9_000_000, 2));
            }
        }
        return peers;
    }

    private static void assertUnharmed(List<Peer> peers) throws Exception {
        byte[] framed = Peer.framed(RECORD);
        for (int i = 0; i < MANY; i++) {
            Peer peer = peers.get(i);
            if (i % 2 == 0) {
                peer.sendRaw(framed, framed.length / 2, framed.length);
                peer.assertReceives(RECORD);
            } else if (i % 30 == 1) {
                peer.assertReceives(Peer.bytes(9_000_000, 2));
            }
            peer.assertEchoes(RECORD);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aWaitingServerTakesAllInWaves(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start(waves());
        List<Peer> peers = busyPeers();
        awaitConnections(server, MANY);
        for (int round = 0; round < 3; round++) {
            CompletableFuture<ServerHandover> starting = startNext(waves());
            HandoverReport report = handOver(server);
            assertEquals(MANY, report.connections());
            assertEquals(List.of(), report.staying());
            server = add(starting.join());
            assertEquals(MANY, server.startReport().adopted());
            assertEquals(0, server.startReport().foundAfterCrash());
            assertEquals(List.of(), server.startReport().refused());
            connect().close();
            if (crashSafe) {
                awaitEscrowed(server, MANY);
            }
        }
        assertUnharmed(peers);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void allIsStoredWhenNobodyWaits(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start(waves());
        List<Peer> peers = busyPeers();
        awaitConnections(server, MANY);
        assertEquals(MANY, handOver(server).connections());
        ServerHandover next = start(waves());
        assertEquals(MANY, next.startReport().adopted());
        assertEquals(List.of(), next.startReport().refused());
        assertUnharmed(peers);
    }

    private FakeSuccessor successor() {
        FakeSuccessor fake = new FakeSuccessor(escrow(), group.next());
        fakes.add(fake);
        return fake;
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theNextButOneTakesWhatTheNextHadNotTaken(boolean inTheMiddleOfAWave) throws Exception {
        ServerHandover server = start(waves());
        List<Peer> peers = busyPeers();
        awaitConnections(server, MANY);
        FakeSuccessor dying = successor();
        CompletableFuture<ServerHandover> starting = startNext(waves());
        CompletableFuture<HandoverReport> handover = server.handOver(TIME);
        assertEquals(ProcessLink.Kind.WELCOME, dying.meet());
        if (inTheMiddleOfAWave) {
            dying.awaitWave();
        }
        assertFalse(handover.isDone());
        dying.close();
        assertEquals(MANY, handover.join().connections());
        assertEquals(MANY, add(starting.join()).startReport().adopted());
        assertUnharmed(peers);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theServerStoresAllWhenTheNextHasDied(boolean inTheMiddleOfAWave) throws Exception {
        crashSafe = true;
        ServerHandover server = start(waves());
        List<Peer> peers = busyPeers();
        awaitConnections(server, MANY);
        FakeSuccessor dying = successor();
        CompletableFuture<HandoverReport> handover = server.handOver(TIME);
        dying.meet();
        if (inTheMiddleOfAWave) {
            dying.awaitWave();
        }
        dying.close();
        assertEquals(MANY, handover.join().connections());
        assertEquals(MANY, start(waves()).startReport().adopted());
        assertUnharmed(peers);
    }

    /** The process before lives, and loses each link: it can open no more files, for example. */
    @Test
    void aStartThatCanNotMeetTheProcessBeforeKeepsNothing() throws Exception {
        ServerHandover server = start();
        List<Peer> peers = busyPeers();
        awaitConnections(server, MANY);
        handOver(server);
        EscrowClient before = escrow().connect().join();
        EscrowTable table = new EscrowTable(0);
        table.begin(before).join();
        HandoverEndpoint endpoint = HandoverEndpoint.open(group.next(), table.newListenerSlot(), ProcessLink::close)
                .join();
        before.close();
        before.closed().toCompletableFuture().join();
        long sockets = openSockets();
        ServerHandoverBuilder next = echoServer(escrow().connectTimeout(Duration.ofSeconds(1)));
        CompletionException failed =
                assertThrows(CompletionException.class, () -> next.start().join());
        EscrowException failure = (EscrowException) failed.getCause();
        assertEquals(Status.ETIMEDOUT, failure.status());
        assertTrue(failure.text().startsWith("the process before lives"), failure::text);
        await().until(() -> openSockets() <= sockets);

        endpoint.close();
        assertEquals(MANY, start(waves()).startReport().adopted());
        assertUnharmed(peers);
    }

    @Test
    void theReportCountsWhatTheNextHadTakenBeforeItDied() throws Exception {
        ServerHandover server = start(waves());
        busyPeers();
        awaitConnections(server, MANY);
        FakeSuccessor dying = successor();
        CompletableFuture<HandoverReport> handover = server.handOver(TIME);
        dying.meet();
        dying.awaitWave();
        dying.link.send(ProcessLink.Kind.TAKEN, 0, new byte[0]).syncUninterruptibly();
        // The server has heard of it when it says something more.
        dying.link.receive();
        dying.close();
        assertEquals(MANY, handover.join().connections());
        start(waves());
    }

    /** It dies when it has sent a wave, before it hears that the wave is taken. */
    @Test
    void nothingIsLostOfAWaveWhoseProcessDies() throws Exception {
        ServerHandover server = start();
        List<Peer> peers = busyPeers();
        awaitConnections(server, MANY);
        handOver(server);
        ServerHandover next;
        try (FakePredecessor before = new FakePredecessor(escrow(), group.next())) {
            CompletableFuture<ServerHandover> starting = startNext(waves());
            before.meet(ProtocolVersion.OWN.encode());
            assertEquals(ProcessLink.Kind.READY, before.link.receive().kind());
            before.dieWithAWave();
            next = add(starting.join());
        }
        assertEquals(List.of(), next.startReport().left());
        assertEquals(List.of(), next.startReport().refused());
        assertEquals(MANY, next.startReport().adopted());
        assertUnharmed(peers);
    }

    @Test
    void whatTheNextCouldNotTakeIsStoredWhenItHasDied() throws Exception {
        ServerHandover server = start(waves());
        List<Peer> peers = busyPeers();
        awaitConnections(server, MANY);
        FakeSuccessor dying = successor();
        CompletableFuture<HandoverReport> handover = server.handOver(TIME);
        dying.meet();
        dying.awaitWave();
        // None of the first wave.
        ByteBuffer notTaken = ByteBuffer.allocate(dying.entries.size() * Integer.BYTES);
        dying.entries.keySet().forEach(notTaken::putInt);
        dying.link.send(ProcessLink.Kind.TAKEN, 0, notTaken.array()).syncUninterruptibly();
        assertEquals(ProcessLink.Kind.GONE, dying.link.receive().kind());
        dying.close();
        HandoverReport report = handover.join();
        assertEquals(List.of(), report.staying());
        assertEquals(MANY, report.connections());
        assertEquals(MANY, start(waves()).startReport().adopted());
        assertUnharmed(peers);
    }

    @Test
    void theServerGoesOnWhenTheNextIsTooSlow() throws Exception {
        ServerHandover server = start(waves());
        List<Peer> peers = busyPeers();
        awaitConnections(server, MANY);
        FakeSuccessor slow = successor();
        AtomicLong clock = new AtomicLong();
        CompletableFuture<HandoverReport> handover = server.handOver(new Deadline(TIME, clock::get));
        slow.meet();
        clock.set(TIME.minusSeconds(1).toNanos());
        slow.awaitWave();
        EscrowException late = assertThrows(EscrowException.class, () -> {
            try {
                handover.join();
            } catch (java.util.concurrent.CompletionException e) {
                throw e.getCause();
            }
        });
        assertEquals(Status.ETIMEDOUT, late.status());
        // What it says now is not heard any more, and it can't begin with what it was given.
        assertFalse(slow.link
                .send(ProcessLink.Kind.TAKEN, 0, new byte[0])
                .awaitUninterruptibly()
                .isSuccess());
        connect().assertEchoes(RECORD);
        CompletableFuture<ServerHandover> starting = waves().start();
        slow.close();
        await().until(() -> !server.context().session().isLost());
        assertEquals(MANY + 1, handOver(server).connections());
        assertEquals(MANY + 1, add(starting.join()).startReport().adopted());
        assertUnharmed(peers);
    }

    @Test
    void anAnswerThatIsNoListOfIndicesEndsTheLink() throws Exception {
        ServerHandover server = start(waves());
        List<Peer> peers = busyPeers();
        awaitConnections(server, MANY);
        FakeSuccessor garbled = successor();
        CompletableFuture<HandoverReport> handover = server.handOver(TIME);
        garbled.meet();
        garbled.awaitWave();
        garbled.link.send(ProcessLink.Kind.TAKEN, 0, new byte[] {0, 0, 1}).syncUninterruptibly();
        while (garbled.link.receive().kind() != ProcessLink.Kind.END) {}
        assertFalse(handover.isDone());
        CompletableFuture<ServerHandover> starting = startNext(waves());
        garbled.close();
        assertEquals(MANY, handover.join().connections());
        assertEquals(MANY, add(starting.join()).startReport().adopted());
        assertUnharmed(peers);
    }

    @Test
    void whoComesAfterAHandoverThatFailedWaitsForTheNext() throws Exception {
        ServerHandover server = start(waves());
        List<Peer> peers = busyPeers();
        awaitConnections(server, MANY);
        FakeSuccessor idle = successor();
        FakeSuccessor late = successor();
        assertThrows(EscrowException.class, () -> handOver(server, forEachStep(Duration.ofSeconds(1))));
        idle.connecting.join();
        idle.close();
        assertEquals(ProcessLink.Kind.LATER, late.meet());
        late.close();
        await().until(() -> !server.context().session().isLost());
        for (int tag = 0; tag < 3; tag++) {
            int each = tag;
            await().until(() -> server.context().client().tag(each).join().used() == 0);
        }
        assertUnharmed(peers);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whatEndsMeanwhileIsForgotten(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start(waves());
        List<Peer> peers = connect(MANY);
        awaitConnections(server, MANY);
        FakeSuccessor dying = successor();
        CompletableFuture<ServerHandover> starting = startNext(waves());
        CompletableFuture<HandoverReport> handover = server.handOver(TIME);
        dying.meet();
        for (Peer peer : peers.subList(0, 50)) {
            peer.close();
        }
        awaitConnections(server, MANY - 50);
        dying.close();
        assertEquals(MANY - 50, handover.join().connections());
        ServerHandover next = add(starting.join());
        assertEquals(MANY - 50, next.startReport().adopted());
        assertEquals(0, next.startReport().foundAfterCrash());
        awaitEscrowed(next, crashSafe ? MANY - 50 : 0);
        peers.get(60).assertEchoes(RECORD);
    }

    @Test
    void whatDoesNotRestInTimeStays() throws Exception {
        ServerHandover server = start(server(bootstrap(
                        ch -> ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), new Busy())))
                .waves(Duration.ofMillis(20))
                .drain(Duration.ofSeconds(30)));
        List<Peer> peers = connect(20);
        awaitConnections(server, 20);
        CompletableFuture<ServerHandover> starting = startNext(waves());
        peers.get(7).assertEchoes(RECORD);
        HandoverReport report = handOver(server, whenItOnlyWaits());
        assertEquals(19, report.connections());
        assertEquals(
                "it did not come to rest in time: handler " + Busy.class.getName() + " is not at rest",
                report.staying().get(0).reason());
        ServerHandover next = add(starting.join());
        assertEquals(19, next.startReport().adopted());
        for (Peer peer : peers) {
            peer.assertEchoes(RECORD);
        }
        peers.get(7).close();
        server.drained().join();
    }

    /** Is never at rest again once it has received something. */
    private static final class Busy extends Echo implements Movable {
        private boolean busy;

        @Override
        public String section() {
            return "busy";
        }

        @Override
        public boolean isAtRest(ChannelHandlerContext ctx) {
            return !busy;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, io.netty.buffer.ByteBuf msg) {
            busy = true;
            super.channelRead0(ctx, msg);
        }
    }
}
