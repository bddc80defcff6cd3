package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.handover.protocol.Movable;
import io.escrow.testing.EventLoopGroups;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Lets the time of a handover in waves be up at each of its steps, and then hands over what is left. */
class WavesDeadlineTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(1_000, 1);
    private static final int MANY = 120;

    /** Long enough for most steps to be reached; it makes no difference to what is to happen if one is not. */
    private static final Duration SHORT = Duration.ofMillis(500);

    /** Where the next process stands still. */
    private enum Step {
        LISTENING(0),
        LATER_WAVE(50),
        LAST_WAVE(MANY);

        private final int restored;

        Step(int restored) {
            this.restored = restored;
        }
    }

    /** What blocks the next process blocks no thread of the server. */
    private final EventLoopGroup nextGroup = EventLoopGroups.epoll(2);

    private final CountDownLatch release = new CountDownLatch(1);
    private final AtomicInteger restored = new AtomicInteger();
    private ServerHandover next;

    @AfterEach
    void endNext() {
        release.countDown();
        if (next != null) {
            next.close();
        }
        nextGroup.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    private ServerHandoverBuilder waves() {
        return waves(group, -1);
    }

    /** Stands still when it restores the given connection; at 0, when it adopts the listener. */
    private ServerHandoverBuilder waves(EventLoopGroup loops, int stop) {
        ServerBootstrap bootstrap = new ServerBootstrap()
                .group(loops)
                .handler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel listener) {
                        if (stop == 0) {
                            block();
                        }
                    }
                })
                .childHandler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel ch) {
                        ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), new Slow(stop));
                    }
                });
        return server(bootstrap).waves(Duration.ofMillis(20));
    }

    private void block() {
        try {
            release.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private final class Slow extends Echo implements Movable {
        private final int stop;

        Slow(int stop) {
            this.stop = stop;
        }

        @Override
        public String section() {
            return "slow";
        }

        @Override
        public boolean isAtRest(ChannelHandlerContext ctx) {
            return true;
        }

        @Override
        public void save(ChannelHandlerContext ctx, ByteBuf out) {
            out.writeByte(1);
        }

        @Override
        public void restore(ChannelHandlerContext ctx, ByteBuf in) {
            if (restored.incrementAndGet() == stop) {
                block();
            }
        }
    }

    private List<Peer> peersOf(ServerHandover server) throws Exception {
        List<Peer> peers = connect(MANY);
        awaitConnections(server, MANY);
        return peers;
    }

    private static void assertUnharmed(List<Peer> peers) throws Exception {
        for (Peer peer : peers) {
            peer.assertEchoes(RECORD);
        }
    }

    /** Hands over to a process that stands still until the time is up. */
    private CompletableFuture<ServerHandover> failAt(Step step, ServerHandover server) throws Exception {
        CompletableFuture<ServerHandover> starting = startNext(waves(nextGroup, step.restored));
        EscrowException late = assertThrows(EscrowException.class, () -> handOver(server, SHORT));
        assertEquals(Status.ETIMEDOUT, late.status());
        return starting;
    }

    @ParameterizedTest
    @EnumSource(Step.class)
    void aFurtherHandoverGivesTheRestToTheSameProcess(Step step) throws Exception {
        ServerHandover server = start(waves());
        List<Peer> peers = peersOf(server);
        CompletableFuture<ServerHandover> starting = failAt(step, server);
        release.countDown();
        HandoverReport report = handOver(server);
        assertEquals(List.of(), report.staying());
        assertEquals(MANY, report.connections());
        next = add(starting.join());
        assertEquals(MANY, next.startReport().adopted());
        assertEquals(0, next.startReport().foundAfterCrash());
        assertEquals(List.of(), next.startReport().left());
        assertEquals(List.of(), next.startReport().refused());
        assertUnharmed(peers);
    }

    @Test
    void whatIsAcceptedAfterATimeThatIsUpStaysUntilItEnds() throws Exception {
        ServerHandover server = start(waves().drain(TIME));
        List<Peer> peers = peersOf(server);
        CompletableFuture<ServerHandover> starting = failAt(Step.LATER_WAVE, server);
        // One of the two processes that have the listener by now accepts it.
        Peer late = connect();
        release.countDown();
        late.assertEchoes(RECORD);
        HandoverReport report = handOver(server);
        next = add(starting.join());
        assertEquals(MANY, report.connections());
        assertEquals(1, report.staying().size() + next.connections() - MANY);
        assertUnharmed(peers);
        late.assertEchoes(RECORD);
        late.close();
        server.drained().join();
    }

    @Test
    void peersSeeTheEndsOfTheirConnectionsMeanwhile() throws Exception {
        ServerHandover server = start(waves());
        List<Peer> peers = peersOf(server);
        CompletableFuture<ServerHandover> starting = failAt(Step.LATER_WAVE, server);
        release.countDown();
        for (Peer peer : peers) {
            peer.shutdownOutput();
            // Both processes have it open, or only the next one.
            peer.assertEnds();
        }
        awaitConnections(server, 0);
        assertEquals(List.of(), handOver(server).staying());
        next = add(starting.join());
        awaitConnections(next, 0);
    }

    @Test
    void theServerGoesBackWhenTheProcessEndsThatHadBegun() throws Exception {
        crashSafe = true;
        ServerHandover server = start(waves());
        List<Peer> peers = peersOf(server);
        try (FakeSuccessor dying = new FakeSuccessor(escrow(), group.next())) {
            AtomicLong clock = new AtomicLong();
            CompletableFuture<HandoverReport> handover = server.handOver(new Deadline(TIME, clock::get));
            dying.meet();
            clock.set(TIME.minus(SHORT).toNanos());
            dying.awaitWave();
            assertThrows(CompletionException.class, handover::join);
            assertUnharmed(peers);
        }
        awaitSession(server);
        awaitEscrowed(server, MANY);
        assertEquals(MANY, handOver(server).connections());
        assertEquals(MANY, start(waves()).startReport().adopted());
        assertUnharmed(peers);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theNextAdoptsTheRestOfAServerThatEnds(boolean crash) throws Exception {
        ServerHandover server = start(waves());
        List<Peer> peers = peersOf(server);
        CompletableFuture<ServerHandover> starting = failAt(Step.LATER_WAVE, server);
        release.countDown();
        if (crash) {
            crash(server);
        } else {
            server.close();
        }
        next = add(starting.join());
        int moved = next.startReport().adopted();
        assertTrue(moved < MANY, moved + " had moved");
        if (crash) {
            assertEquals(MANY - moved, next.startReport().foundAfterCrash());
            assertUnharmed(peers);
        } else {
            awaitConnections(next, moved);
        }
    }
}
