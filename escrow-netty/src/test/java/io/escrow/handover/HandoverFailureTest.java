package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.BlockingEscrow;
import io.escrow.handover.protocol.Movable;
import io.escrow.testing.InMemoryEscrow;
import io.escrow.testing.InMemoryEscrow.Capacity;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Lets each step of a handover fail, and looks whether anybody was harmed. */
class HandoverFailureTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(300_000, 1);

    private Capacity capacity = Capacity.LARGE;

    @Override
    protected AutoCloseable startDaemon(Path path) {
        return InMemoryEscrow.start(path, capacity);
    }

    /** Connections with bytes wherever there can be some. */
    private final class Traffic {
        private final List<Peer> halfSent;
        private final List<Peer> notReading;

        Traffic(ServerHandover server) throws Exception {
            halfSent = connect(3);
            notReading = connect(3);
            byte[] framed = Peer.framed(RECORD);
            for (Peer peer : halfSent) {
                peer.sendRaw(framed, 0, framed.length / 2);
            }
            for (Peer peer : notReading) {
                peer.send(Peer.bytes(9_000_000, 2));
            }
            awaitConnections(server, 6);
        }

        void assertUnharmed() throws Exception {
            byte[] framed = Peer.framed(RECORD);
            for (Peer peer : halfSent) {
                peer.sendRaw(framed, framed.length / 2, framed.length);
                peer.assertReceives(RECORD);
                peer.assertEchoes(RECORD);
            }
            for (Peer peer : notReading) {
                peer.assertReceives(Peer.bytes(9_000_000, 2));
                peer.assertEchoes(RECORD);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void serverGoesOnWhenTheDaemonIsGone(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start();
        Traffic traffic = new Traffic(server);
        daemon.close();
        server.context().client().closed().toCompletableFuture().join();
        assertThrows(EscrowException.class, () -> handOver(server));
        traffic.assertUnharmed();
        connect().assertEchoes(RECORD);

        restartDaemon();
        assertEquals(7, handOver(server).connections());
        ServerHandover next = start();
        assertEquals(7, next.startReport().adopted());
    }

    @Test
    void theNextProcessWaitsAgainWhenTheDaemonWasReplaced() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        CountDownLatch turn = new CountDownLatch(1);
        CompletableFuture<ServerHandover> next = startNext(echoServer().observer(new HandoverObserver() {
            @Override
            public void queued(Duration time) {
                turn.countDown();
            }
        }));
        long queued = System.nanoTime();
        await().until(() -> System.nanoTime() - queued > StartTask.WAITED.toNanos());
        daemon.close();
        restartDaemon();
        turn.await();
        assertEquals(1, handOver(server).connections());
        assertEquals(1, add(next.join()).startReport().adopted());
        peer.assertEchoes(RECORD);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void slotsAreFreedThoughTheDaemonWasAwayMeanwhile(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start();
        List<Peer> peers = connect(3);
        awaitConnections(server, 3);
        daemon.close();
        peers.get(0).close();
        awaitConnections(server, 2);
        server.context().client().closed().toCompletableFuture().join();
        restartDaemon();
        handOver(server);
        ServerHandover next = start();
        assertEquals(2, next.startReport().adopted());
        peers.get(1).close();
        awaitEscrowed(next, crashSafe ? 1 : 0);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 8, 200})
    void serverGoesOnWhenTheEscrowIsFull(int slots) throws Exception {
        limit(new Capacity(slots, 1L << 30, 1000));
        ServerHandover server = start();
        Traffic traffic = new Traffic(server);
        EscrowException full = assertThrows(EscrowException.class, () -> handOver(server));
        assertEquals(Status.ENOSPC, full.status());
        awaitEmpty(server);
        traffic.assertUnharmed();

        assertEquals(6, handOverInto(server, new Capacity(1000, 1L << 30, 1000)).connections());
        assertEquals(6, start().startReport().adopted());
    }

    @ParameterizedTest
    @ValueSource(ints = {100, 100_000, 5_000_000})
    void serverGoesOnWhenTheEscrowHasNoRoomForBytes(int bytes) throws Exception {
        limit(new Capacity(1000, bytes, 1000));
        ServerHandover server = start();
        Traffic traffic = new Traffic(server);
        assertThrows(EscrowException.class, () -> handOver(server));
        awaitEmpty(server);
        traffic.assertUnharmed();
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 5})
    void crashSafeServerGoesOnWhenTheEscrowIsFull(int slots) throws Exception {
        crashSafe = true;
        limit(new Capacity(slots, 1L << 30, 1000));
        ServerHandover server = start();
        Traffic traffic = new Traffic(server);
        assertThrows(EscrowException.class, () -> handOver(server));
        traffic.assertUnharmed();
        // All but those of the listener and the marks.
        awaitEscrowed(server, slots - 2);
    }

    private void limit(Capacity limits) throws Exception {
        daemon.close();
        capacity = limits;
        restartDaemon();
    }

    private HandoverReport handOverInto(ServerHandover server, Capacity limits) throws Exception {
        limit(limits);
        server.context().client().closed().toCompletableFuture().join();
        return handOver(server);
    }

    private static void awaitEmpty(ServerHandover server) {
        for (int tag = 0; tag < 3; tag++) {
            int each = tag;
            await().until(() -> server.context().client().tag(each).join().used() == 0);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void serverGoesOnWhenTheDeadlinePassesWithABusyConnection(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        Busy busy = new Busy();
        ServerHandover server = start(server(bootstrap(ch -> {
            ch.pipeline().addLast(new io.netty.handler.codec.LengthFieldBasedFrameDecoder(64 << 20, 0, 4), new Echo());
            if (ServerHandover.isAdopted(ch)) {
                return;
            }
            ch.pipeline().addLast(busy);
        })));
        Traffic traffic = new Traffic(server);
        EscrowException late = assertThrows(EscrowException.class, () -> handOver(server, whenItOnlyWaits()));
        assertEquals(Status.ETIMEDOUT, late.status());
        traffic.assertUnharmed();
        connect().assertEchoes(RECORD);
        busy.atRest = true;
        assertEquals(7, handOver(server).connections());
        assertEquals(7, start().startReport().adopted());
    }

    /** Is never at rest, until it is told to be. */
    @io.netty.channel.ChannelHandler.Sharable
    private static final class Busy extends ChannelInboundHandlerAdapter implements Movable {
        private volatile boolean atRest;

        @Override
        public String section() {
            return "busy";
        }

        @Override
        public boolean isAtRest(ChannelHandlerContext ctx) {
            return atRest;
        }
    }

    @Test
    void daemonThatDiesWhileItStoresHarmsNobody() throws Exception {
        ServerHandover server = start();
        Traffic traffic = new Traffic(server);
        for (int i = 0; i < 5; i++) {
            CompletableFuture<HandoverReport> handover = server.handOver(TIME);
            // At whatever it is just now; some packets of chunks are under way for most of the time.
            int chunks = i * 50;
            await().pollDelay(Duration.ZERO)
                    .pollInterval(Duration.ofMillis(1))
                    .until(() -> handover.isDone() || escrowedChunks(server) >= chunks);
            daemon.close();
            boolean failed =
                    handover.handle((report, failure) -> failure != null).join();
            restartDaemon();
            if (!failed) {
                // It was quicker; then the daemon took everything with it, but nobody promised otherwise.
                return;
            }
        }
        traffic.assertUnharmed();
    }

    private static int escrowedChunks(ServerHandover server) {
        try {
            return server.context().client().tag(2).join().used();
        } catch (RuntimeException e) {
            return Integer.MAX_VALUE;
        }
    }

    @Test
    void startThatCannotBindLeavesEverythingInTheEscrow() throws Exception {
        ServerHandover server = start();
        Traffic traffic = new Traffic(server);
        handOver(server);
        try (ServerSocket occupied = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            InetSocketAddress taken = (InetSocketAddress) occupied.getLocalSocketAddress();
            for (boolean safe : new boolean[] {false, true}) {
                ServerHandoverBuilder description =
                        echoServer().listen("other", bootstrap(ch -> {}), taken).crashSafe(safe);
                assertThrows(EscrowException.class, () -> start(description));
            }
        }
        ServerHandover third = start();
        assertEquals(6, third.startReport().adopted());
        traffic.assertUnharmed();
    }

    @Test
    void startWithAChangedAddressLeavesEverythingInTheEscrow() throws Exception {
        ServerHandover server = start();
        Traffic traffic = new Traffic(server);
        handOver(server);
        int before = port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        EscrowException mismatch = assertThrows(EscrowException.class, this::start);
        assertTrue(mismatch.getMessage().contains("address"), mismatch.getMessage());
        port = before;
        assertEquals(6, start().startReport().adopted());
        traffic.assertUnharmed();
    }

    @Test
    void changedAddressIsBoundWhenAskedFor() throws Exception {
        ServerHandover server = start();
        Traffic traffic = new Traffic(server);
        handOver(server);
        int before = port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        ServerHandover next = start(echoServer().bindChangedAddress(true));
        assertEquals(List.of("echo"), next.startReport().boundListeners());
        assertEquals(6, next.startReport().adopted());
        traffic.assertUnharmed();
        connect().assertEchoes(RECORD);
        assertThrows(
                java.io.IOException.class,
                () -> Peer.tcp(new InetSocketAddress(InetAddress.getLoopbackAddress(), before)));
    }

    @Test
    void processThatDiesWhileItAdoptsLosesNothing() throws Exception {
        ServerHandover server = start();
        Traffic traffic = new Traffic(server);
        handOver(server);
        try (BlockingEscrow dying = connectToEscrow()) {
            List<Entry> taken = new ArrayList<>();
            for (int tag = 0; tag < 2; tag++) {
                dying.getAll(tag, taken::add);
            }
            assertEquals(7, taken.size());
            taken.forEach(Entry::close);
        }
        assertEquals(6, start().startReport().adopted());
        traffic.assertUnharmed();
    }

    @Test
    void slotWithSomethingElseSpoilsNothing() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        awaitConnections(server, 1);
        handOver(server);
        try (BlockingEscrow other = connectToEscrow()) {
            other.add(
                    1,
                    77,
                    "a greeting from another program, quite long".getBytes(java.nio.charset.StandardCharsets.UTF_8));
            other.add(1, 78, new byte[0]);
            other.add(0, 79, new byte[8]);
        }
        server = start();
        assertEquals(1, server.startReport().adopted());
        assertEquals(3, server.startReport().left().size());
        peer.assertEchoes(RECORD);
        // Nobody else empties those slots.
        server.context().client().delete(1, 77).join();
        server.context().client().delete(1, 78).join();
        server.context().client().delete(0, 79).join();
    }
}
