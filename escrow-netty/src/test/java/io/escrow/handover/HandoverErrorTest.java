package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.handover.protocol.HandoverEvent;
import io.escrow.handover.protocol.Movable;
import io.escrow.internal.EventLoops;
import io.escrow.testing.EventLoopGroups;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Lets code of the user throw errors, as it does when its jar is gone. */
class HandoverErrorTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(10_000, 1);
    private static final int COUNT = 6;

    private enum Step {
        WHY_IMMOVABLE,
        IS_AT_REST,
        SAVE,
        TAKE_APART,
        RESTORE,
        HANDED_OVER
    }

    /** The step at which an error is thrown, once on one of the connections; {@code null} if none is. */
    private final AtomicReference<Step> failing = new AtomicReference<>();

    /** The same, but not before the connections are asked for their first wave. */
    private final AtomicReference<Step> failWhenTheNextHasCome = new AtomicReference<>();

    private final AtomicInteger received = new AtomicInteger();

    private final NoClassDefFoundError error = new NoClassDefFoundError("app/State");

    /** The step at which an error is thrown on each connection; {@code null} if none is. */
    private volatile Step alwaysFailing;

    private void reach(Step step) {
        if (failing.compareAndSet(step, null) || step == alwaysFailing) {
            throw error;
        }
    }

    private final class Failing extends ChannelInboundHandlerAdapter implements Movable {
        @Override
        public String section() {
            return "failing";
        }

        @Override
        public String whyImmovable(ChannelHandlerContext ctx) {
            reach(Step.WHY_IMMOVABLE);
            return null;
        }

        @Override
        public boolean isAtRest(ChannelHandlerContext ctx) {
            Step due = failWhenTheNextHasCome.getAndSet(null);
            if (due != null) {
                failing.set(due);
            }
            reach(Step.IS_AT_REST);
            return true;
        }

        @Override
        public void save(ChannelHandlerContext ctx, ByteBuf out) {
            reach(Step.SAVE);
            out.writeByte(1);
        }

        @Override
        public void restore(ChannelHandlerContext ctx, ByteBuf in) {
            reach(Step.RESTORE);
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event == HandoverEvent.HANDED_OVER) {
                reach(Step.HANDED_OVER);
            }
            ctx.fireUserEventTriggered(event);
        }
    }

    private ServerHandoverBuilder failingServer() {
        return server(bootstrap(ch -> ch.pipeline()
                .addLast(new Counting(), new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), new Failing(), new Echo())));
    }

    /** Counts the bytes that servers have read. */
    private final class Counting extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            received.addAndGet(((ByteBuf) msg).readableBytes());
            ctx.fireChannelRead(msg);
        }
    }

    private ServerHandoverBuilder countingServer() {
        return server(bootstrap(ch ->
                ch.pipeline().addLast(new Counting(), new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), new Echo())));
    }

    private List<Peer> peers(ServerHandover server) throws Exception {
        List<Peer> peers = connect(COUNT);
        byte[] framed = Peer.framed(RECORD);
        for (Peer peer : peers) {
            peer.sendRaw(framed, 0, framed.length / 2);
        }
        awaitConnections(server, COUNT);
        await().until(() -> received.get() == COUNT * (framed.length / 2));
        // A crash-safe server asks the handlers after a read, too.
        EventLoops.settle(server.context().loops()).join();
        return peers;
    }

    private static void assertServed(List<Peer> peers) throws Exception {
        byte[] framed = Peer.framed(RECORD);
        for (Peer peer : peers) {
            peer.sendRaw(framed, framed.length / 2, framed.length);
            peer.assertReceives(RECORD);
            peer.assertEchoes(RECORD);
        }
    }

    private void assertOneStays(HandoverReport report, CompletableFuture<ServerHandover> starting, List<Peer> peers)
            throws Exception {
        assertEquals(COUNT - 1, report.connections());
        assertEquals(
                List.of("its handlers failed: " + error),
                report.staying().stream().map(HandoverReport.Staying::reason).toList());
        assertEquals(COUNT - 1, add(starting.join()).startReport().adopted());
        assertServed(peers);
    }

    @ParameterizedTest
    @CsvSource({
        "WHY_IMMOVABLE, false", "WHY_IMMOVABLE, true",
        "IS_AT_REST, false", "IS_AT_REST, true",
        "SAVE, false", "SAVE, true"
    })
    void aConnectionThatFailsStays(Step step, boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start(failingServer());
        List<Peer> peers = peers(server);
        CompletableFuture<ServerHandover> starting = startNext(failingServer());
        failing.set(step);
        assertOneStays(handOver(server), starting, peers);
    }

    @ParameterizedTest
    @CsvSource({
        "WHY_IMMOVABLE, false", "WHY_IMMOVABLE, true",
        "IS_AT_REST, false", "IS_AT_REST, true",
        "SAVE, false", "SAVE, true"
    })
    void theServerGoesOnWhenMostFail(Step step, boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start(failingServer());
        List<Peer> peers = peers(server);
        alwaysFailing = step;

        EscrowException failure = assertThrows(EscrowException.class, () -> handOver(server));
        assertEquals(Status.EIO, failure.status());
        assertSame(error, failure.getCause());
        alwaysFailing = null;
        assertServed(peers);
        connect().assertEchoes(RECORD);
        assertEquals(COUNT + 1, handOver(server).connections());
        assertEquals(COUNT + 1, start(failingServer()).startReport().adopted());
    }

    @ParameterizedTest
    @EnumSource(names = {"WHY_IMMOVABLE", "SAVE"})
    void theServerGoesOnWhenMostFailThoughTheNextIsThere(Step step) throws Exception {
        ServerHandover server = start(failingServer().waves(Duration.ofMillis(20)));
        List<Peer> peers = peers(server);
        CompletableFuture<ServerHandover> starting = startNext(failingServer());
        alwaysFailing = step;

        EscrowException failure = assertThrows(EscrowException.class, () -> handOver(server));
        assertSame(error, failure.getCause());
        alwaysFailing = null;
        assertServed(peers);
        assertEquals(COUNT, handOver(server).connections());
        assertEquals(COUNT, add(starting.join()).startReport().adopted());
        for (Peer peer : peers) {
            peer.assertEchoes(RECORD);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"WHY_IMMOVABLE", "SAVE"})
    void aConnectionThatFailsBeforeTheWavesStays(Step step) throws Exception {
        ServerHandover server = start(failingServer().waves(Duration.ofMillis(20)));
        List<Peer> peers = peers(server);
        CompletableFuture<ServerHandover> starting = startNext(failingServer());
        failing.set(step);
        assertOneStays(handOver(server), starting, peers);
    }

    /** Keeps what it is given, throws something when it is asked for it, and gives it back all the same. */
    private final class Hesitating extends LengthFieldBasedFrameDecoder {
        Hesitating() {
            super(1 << 20, 0, 4);
        }

        @Override
        protected void handlerRemoved0(ChannelHandlerContext ctx) {
            reach(Step.TAKE_APART);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void bytesOfADecoderThatFailsAreNotLost(boolean most) throws Exception {
        ServerHandoverBuilder description =
                server(bootstrap(ch -> ch.pipeline().addLast(new Counting(), new Hesitating(), new Echo())));
        ServerHandover server = start(description);
        List<Peer> peers = peers(server);
        if (most) {
            alwaysFailing = Step.TAKE_APART;
            assertThrows(EscrowException.class, () -> handOver(server));
            alwaysFailing = null;
            assertServed(peers);
            assertEquals(COUNT, handOver(server).connections());
            assertEquals(COUNT, start(description).startReport().adopted());
        } else {
            CompletableFuture<ServerHandover> starting = startNext(description);
            failing.set(Step.TAKE_APART);
            HandoverReport report = handOver(server);
            assertEquals(1, report.staying().size());
            String reason = report.staying().get(0).reason();
            assertTrue(reason.startsWith("its handlers failed: "), reason);
            assertEquals(COUNT - 1, add(starting.join()).startReport().adopted());
            assertServed(peers);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"IS_AT_REST", "SAVE"})
    void aConnectionThatFailsInItsWaveStays(Step step) throws Exception {
        ServerHandover server = start(failingServer().waves(Duration.ofMillis(20)));
        List<Peer> peers = peers(server);
        CompletableFuture<ServerHandover> starting = startNext(failingServer());
        failWhenTheNextHasCome.set(step);

        assertOneStays(handOver(server), starting, peers);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whatFailsAfterwardsChangesNothing(boolean waves) throws Exception {
        ServerHandoverBuilder description = failingServer();
        if (waves) {
            description.waves(Duration.ofMillis(20));
        }
        ServerHandover server = start(description);
        List<Peer> peers = peers(server);
        CompletableFuture<ServerHandover> starting = startNext(failingServer());
        failing.set(Step.HANDED_OVER);

        assertEquals(COUNT, handOver(server).connections());
        server.drained().join();
        assertEquals(COUNT, add(starting.join()).startReport().adopted());
        assertServed(peers);
    }

    @Test
    void aConnectionThatCannotBeRestoredIsLeft() throws Exception {
        ServerHandover server = start(failingServer());
        List<Peer> peers = peers(server);
        handOver(server);
        failing.set(Step.RESTORE);

        ServerHandover next = start(failingServer());
        assertEquals(COUNT - 1, next.startReport().adopted());
        assertEquals(1, next.startReport().left().size());
        handOver(next);
        assertEquals(COUNT, start(failingServer()).startReport().adopted());
        assertServed(peers);
    }

    @Test
    void aStartThatFailsLeavesEverythingInTheEscrow() throws Exception {
        ServerHandover server = start(countingServer());
        List<Peer> peers = peers(server);
        handOver(server);
        EventLoopGroup loops = EventLoopGroups.epoll(1);
        EventLoopGroup broken = (EventLoopGroup) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {EventLoopGroup.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("register")) {
                        throw error;
                    }
                    return method.invoke(loops, arguments);
                });

        EscrowException failure = assertThrows(
                EscrowException.class,
                () -> start(server(new ServerBootstrap().group(broken).childHandler(new Failing()))));
        assertSame(error, failure.getCause());
        loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
        assertEquals(COUNT, start(countingServer()).startReport().adopted());
        assertServed(peers);
    }

    @Test
    void aChoiceThatFailsClosesTheConnection() throws Exception {
        crashSafe = true;
        ServerHandover server = start();
        connect(2);
        awaitEscrowed(server, 2);
        crash(server);

        ServerHandover next = start(echoServer().resumeAfterCrash(channel -> {
            throw error;
        }));
        assertEquals(2, next.startReport().refused().size());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aListenerForTheProgressThatFailsChangesNothing(boolean waves) throws Exception {
        ServerHandoverBuilder description = countingServer().onProgress(progress -> {
            throw error;
        });
        if (waves) {
            description.waves(Duration.ofMillis(20));
        }
        ServerHandover server = start(description);
        List<Peer> peers = peers(server);
        CompletableFuture<ServerHandover> starting = startNext(description);

        assertEquals(COUNT, handOver(server).connections());
        assertEquals(COUNT, add(starting.join()).startReport().adopted());
        assertServed(peers);
    }
}
