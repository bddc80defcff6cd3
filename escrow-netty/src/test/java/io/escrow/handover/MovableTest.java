package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.connection.Connection;
import io.escrow.handover.protocol.HandoverEvent;
import io.escrow.handover.protocol.Movable;
import io.escrow.internal.EventLoops;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What handlers have to say about a move. */
class MovableTest extends HandoverHarness {

    private final Queue<Object> events = new ConcurrentLinkedQueue<>();

    /** Answers each record with the number of records so far, and says farewell when it is closed. */
    private final class Counter extends ChannelDuplexHandler implements Movable {
        private int count;
        private boolean busy;
        private String immovable;

        @Override
        public String section() {
            return "counter";
        }

        @Override
        public String whyImmovable(ChannelHandlerContext ctx) {
            return immovable;
        }

        @Override
        public boolean isAtRest(ChannelHandlerContext ctx) {
            return !busy;
        }

        @Override
        public void save(ChannelHandlerContext ctx, ByteBuf out) {
            out.writeInt(count);
        }

        @Override
        public void restore(ChannelHandlerContext ctx, ByteBuf in) {
            events.add("restore");
            count = in.readInt();
            assertFalse(in.isReadable());
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ((ByteBuf) msg).release();
            count++;
            answer(ctx);
        }

        void answer(ChannelHandlerContext ctx) {
            ctx.writeAndFlush(Unpooled.buffer().writeInt(Integer.BYTES).writeInt(count));
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            events.add(event);
            if (event == HandoverEvent.HANDED_OVER) {
                ctx.writeAndFlush(Unpooled.copyInt(4, -2));
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            events.add("inactive");
            ctx.writeAndFlush(Unpooled.copyInt(4, -3));
        }

        @Override
        public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
            ctx.writeAndFlush(Unpooled.copyInt(4, -1));
            ctx.close(promise);
        }
    }

    private ServerHandoverBuilder counting() {
        return server(bootstrap(
                ch -> ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), new Counter())));
    }

    private static Counter counter(Connection connection) {
        return connection.channel().pipeline().get(Counter.class);
    }

    private static void assertCount(Peer peer, int count) throws Exception {
        peer.send(new byte[3]);
        assertNextCount(peer, count);
    }

    private static void assertNextCount(Peer peer, int count) throws Exception {
        peer.assertReceives(java.nio.ByteBuffer.allocate(4).putInt(count).array());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void stateGoesAlongAndNobodySaysFarewell(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start(counting());
        Peer peer = connect();
        for (int i = 1; i <= 5; i++) {
            assertCount(peer, i);
            events.clear();
            handOver(server);
            await().until(() -> events.contains("inactive"));
            server = start(counting());
            assertEquals(
                    List.of(HandoverEvent.HANDED_OVER, "inactive", "restore", HandoverEvent.ADOPTED),
                    List.copyOf(events));
        }
        assertCount(peer, 6);
    }

    @Test
    void checkpointIsWhatIsFoundAfterACrash() throws Exception {
        crashSafe = true;
        ServerHandover server = start(counting());
        Peer peer = connect();
        assertCount(peer, 1);
        assertCount(peer, 2);
        server.checkpoint(onlyConnection(server).channel()).join();
        assertCount(peer, 3);
        events.clear();
        crash(server);
        events.clear();
        server = start(counting());
        assertEquals(List.of("restore", HandoverEvent.FOUND_AFTER_CRASH), List.copyOf(events));
        assertCount(peer, 3);
        crash(server);
        start(counting());
        assertCount(peer, 3);
    }

    @Test
    void checkpointsOfAConnectionThatEndsLeaveNothingBehind() throws Exception {
        crashSafe = true;
        ServerHandover server = start(server(bootstrap(ch -> ch.pipeline().addLast(new Large()))));
        for (int i = 0; i < 20; i++) {
            Peer peer = connect();
            Connection connection = onlyConnection(server);
            CompletableFuture<Void> first = server.checkpoint(connection.channel());
            server.checkpoint(connection.channel());
            if (i % 2 == 0) {
                first.join();
            }
            peer.close();
            awaitConnections(server, 0);
        }
        // The chunks of the last one are still being stored, perhaps, and deleted then.
        int chunks = server.context().table().connectionTag() + 1;
        await().until(() -> server.context().client().tag(chunks).join().used() == 0);
    }

    /** Has more state than a payload can hold. */
    private static final class Large extends ChannelDuplexHandler implements Movable {
        @Override
        public String section() {
            return "large";
        }

        @Override
        public void save(ChannelHandlerContext ctx, ByteBuf out) {
            out.writeZero(200_000);
        }
    }

    @Test
    void checkpointOfAServerThatIsNotCrashSafeDoesNothing() throws Exception {
        ServerHandover server = start(counting());
        connect();
        server.checkpoint(onlyConnection(server).channel()).join();
        awaitEscrowed(server, 0);
    }

    @Test
    void busyConnectionGoesOnUntilItIsAtRest() throws Exception {
        ServerHandover server = start(counting());
        Peer busy = connect();
        Connection connection = onlyConnection(server);
        Counter counter = counter(connection);
        EventLoops.call(connection.channel().eventLoop(), () -> counter.busy = true)
                .join();
        CompletableFuture<HandoverReport> handover = server.handOver(TIME);
        await().until(() -> !server.listeners().get(0).isRegistered());
        for (int i = 1; i <= 20; i++) {
            assertCount(busy, i);
        }
        assertFalse(handover.isDone());
        EventLoops.call(connection.channel().eventLoop(), () -> counter.busy = false)
                .join();
        handover.join();
        start(counting());
        assertCount(busy, 21);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void immovableConnectionIsServedByTheOldProcess(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start(counting());
        Peer staying = connect();
        Connection connection = onlyConnection(server);
        Peer moving = connect();
        awaitConnections(server, 2);
        EventLoops.call(connection.channel().eventLoop(), () -> counter(connection).immovable = "because")
                .join();
        HandoverReport report = handOver(server);
        assertEquals(1, report.connections());
        assertEquals(1, report.staying().size());
        assertEquals("because", report.staying().get(0).reason());
        assertEquals(
                connection.channel().remoteAddress(), report.staying().get(0).peer());
        await().until(() -> events.contains(HandoverEvent.DRAINING));
        ServerHandover next = start(counting());
        assertEquals(1, next.startReport().adopted());
        for (int i = 1; i < 5; i++) {
            assertCount(staying, i);
            assertCount(moving, i);
        }
        assertFalse(server.drained().isDone());
        staying.close();
        server.drained().get(10, java.util.concurrent.TimeUnit.SECONDS);
    }

    @Test
    void drainingEndsWithItsTime() throws Exception {
        ServerHandover server = start(counting().drain(java.time.Duration.ofMillis(50)));
        Peer staying = connect();
        Connection connection = onlyConnection(server);
        EventLoops.call(connection.channel().eventLoop(), () -> counter(connection).immovable = "because")
                .join();
        handOver(server);
        server.drained().get(10, java.util.concurrent.TimeUnit.SECONDS);
        start(counting());
        assertNextCount(staying, -1);
        staying.assertEnds();
    }

    @Test
    void connectionThatCannotBeRestoredStaysForTheVersionBefore() throws Exception {
        ServerHandover server = start(counting());
        Peer good = connect();
        awaitConnections(server, 1);
        Peer bad = connect();
        awaitConnections(server, 2);
        assertCount(good, 1);
        assertCount(bad, 1);
        bad.sendRaw((byte) 0);
        handOver(server);
        // In this version each connection fails that was not the first.
        AtomicBoolean first = new AtomicBoolean(true);
        server = start(server(bootstrap(ch -> {
            boolean isFirst = first.getAndSet(false);
            ch.pipeline()
                    .addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), isFirst ? new Counter() : new Failing());
        })));
        assertEquals(1, server.startReport().adopted(), server.startReport()::toString);
        assertEquals(1, server.startReport().left().size());
        assertEquals(List.of(), server.startReport().refused());
        assertEquals(1, server.connections());
        handOver(server);
        server = start(counting());
        assertEquals(2, server.startReport().adopted(), server.startReport()::toString);
        assertCount(good, 2);
        bad.sendRaw((byte) 0, (byte) 0, (byte) 0);
        assertNextCount(bad, 2);
    }

    private static final class Failing extends ChannelDuplexHandler implements Movable {
        @Override
        public String section() {
            return "counter";
        }

        @Override
        public void restore(ChannelHandlerContext ctx, ByteBuf in) {
            throw new IllegalStateException("no such state");
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void broadcastsBetweenEventLoopsLoseNothing(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        Queue<Channel> members = new ConcurrentLinkedQueue<>();
        ServerHandover server = start(broadcasting(members));
        List<Peer> peers = connect(8);
        awaitConnections(server, peers.size());
        await().until(() -> members.size() == peers.size());
        int rounds = 400;
        AtomicInteger heard = new AtomicInteger();
        Thread speaker = new Thread(() -> {
            try {
                for (int i = 0; i < rounds; i++) {
                    peers.get(i % 2).send(Peer.bytes(2000, i));
                    // The next when all have this one, else their order is open.
                    for (Peer peer : peers) {
                        peer.assertReceives(Peer.bytes(2000, i));
                    }
                    heard.incrementAndGet();
                }
            } catch (java.io.IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
        speaker.start();
        for (int i = 0; i < 10; i++) {
            handOver(server);
            await().until(members::isEmpty);
            server = start(broadcasting(members));
        }
        speaker.join();
        assertEquals(rounds, heard.get());
    }

    private ServerHandoverBuilder broadcasting(Queue<Channel> members) {
        return server(bootstrap(ch -> ch.pipeline()
                .addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), new ChannelDuplexHandler() {
                    @Override
                    public void channelActive(ChannelHandlerContext ctx) {
                        members.add(ctx.channel());
                    }

                    @Override
                    public void channelInactive(ChannelHandlerContext ctx) {
                        members.remove(ctx.channel());
                    }

                    @Override
                    public void channelRead(ChannelHandlerContext ctx, Object msg) {
                        ByteBuf record = (ByteBuf) msg;
                        members.forEach(member -> member.writeAndFlush(Unpooled.copiedBuffer(record)));
                        record.release();
                    }
                })));
    }

    @Test
    void adoptedConnectionsKnowThatTheyAre() throws Exception {
        ServerHandover server = start();
        connect();
        Connection connection = onlyConnection(server);
        assertFalse(ServerHandover.isAdopted(connection.channel()));
        handOver(server);
        server = start();
        assertTrue(ServerHandover.isAdopted(onlyConnection(server).channel()));
    }
}
