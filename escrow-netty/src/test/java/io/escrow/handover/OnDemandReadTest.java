package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.handover.connection.Connection;
import io.escrow.internal.EventLoops;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Servers with auto-read off, whose handlers ask for each read: none that they asked for is lost. */
class OnDemandReadTest extends HandoverHarness {

    private static final int MANY = 60;
    private static final byte[] RECORD = Peer.bytes(1000, 1);
    private static final byte[] FRAMED = Peer.framed(RECORD);
    private static final int HALF = 300;

    private final Queue<Integer> unasked = new ConcurrentLinkedQueue<>();
    private boolean asksWhenActive = true;

    /** Asks for the next record only when the answer to the one before is sent. */
    private final class OnDemand extends SimpleChannelInboundHandler<ByteBuf> {
        private boolean asked;

        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            if (asksWhenActive) {
                ask(ctx);
            }
        }

        void ask(ChannelHandlerContext ctx) {
            asked = true;
            ctx.read();
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf msg) {
            if (!asked) {
                unasked.add(msg.readableBytes());
            }
            asked = false;
            ctx.writeAndFlush(Unpooled.copiedBuffer(msg)).addListener(f -> ask(ctx));
        }
    }

    private ServerHandoverBuilder onDemand() {
        ServerBootstrap bootstrap = bootstrap(
                ch -> ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(64 << 20, 0, 4), new OnDemand()));
        return server(bootstrap.childOption(ChannelOption.AUTO_READ, false));
    }

    private static void call(Connection connection, Callable<?> task) {
        EventLoops.call(connection.channel().eventLoop(), task).join();
    }

    /** Asks for a read as a handler does. */
    private static void ask(Connection connection) {
        call(connection, () -> {
            OnDemand handler = connection.channel().pipeline().get(OnDemand.class);
            handler.ask(connection.channel().pipeline().context(handler));
            return null;
        });
    }

    private static void assertAutoReadIsOff(ServerHandover server) {
        server.context()
                .connections()
                .all()
                .forEach(connection -> assertFalse(connection.channel().config().isAutoRead()));
    }

    /** Each has an answer outstanding while it moves: half of a record was sent. */
    private static void sendHalf(List<Peer> peers) throws Exception {
        for (Peer peer : peers) {
            peer.sendRaw(FRAMED, 0, HALF);
        }
    }

    private static void assertRestIsAnswered(List<Peer> peers) throws Exception {
        for (Peer peer : peers) {
            peer.sendRaw(FRAMED, HALF, FRAMED.length);
        }
        for (Peer peer : peers) {
            peer.assertReceives(RECORD);
            peer.assertEchoes(RECORD);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void allAreReadInTheNextProcess(boolean inWaves) throws Exception {
        ServerHandover server = start(waves(inWaves));
        List<Peer> peers = connect(MANY);
        awaitConnections(server, MANY);
        for (int round = 0; round < 4; round++) {
            if (round % 2 == 0) {
                sendHalf(peers);
            }
            CompletableFuture<ServerHandover> starting = startNext(waves(inWaves));
            assertEquals(MANY, handOver(server).connections());
            server = add(starting.join());
            assertEquals(MANY, server.startReport().adopted());
            assertAutoReadIsOff(server);
            if (round % 2 == 1) {
                assertRestIsAnswered(peers);
            }
        }
        assertEquals(List.of(), List.copyOf(unasked));
    }

    private ServerHandoverBuilder waves(boolean inWaves) {
        return inWaves ? onDemand().waves(Duration.ofMillis(20)) : onDemand();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void allAreReadAfterAHandoverThatFails(boolean half) throws Exception {
        ServerHandover server = start(onDemand());
        List<Peer> peers = connect(MANY);
        awaitConnections(server, MANY);
        if (half) {
            sendHalf(peers);
        }
        daemon.close();
        server.context().client().closed().toCompletableFuture().join();
        Duration shortTime = Duration.ofMillis(100);
        assertThrows(EscrowException.class, () -> handOver(server, shortTime));
        restartDaemon();
        failToStore(server);
        assertAutoReadIsOff(server);
        if (!half) {
            sendHalf(peers);
        }
        assertRestIsAnswered(peers);
        assertEquals(List.of(), List.copyOf(unasked));
    }

    /** Goes back when all connections are off their event loops and taken apart. */
    private static void failToStore(ServerHandover server) throws EscrowException {
        ConnectionBatch batch = new ConnectionBatch(server.context(), new Deadline(TIME));
        assertEquals(Map.of(), batch.ask(server.context().connections().all()));
        batch.takeApart();
        assertEquals(MANY, batch.apart().size());
        ConnectionBatch.comeBack(server.context().connections().all()).join();
    }

    @Test
    void whatIsReadAtRestIsAnsweredHere() throws Exception {
        ServerHandover server = start(onDemand());
        Peer peer = connect();
        Connection connection = onlyConnection(server);
        call(connection, connection::tryToRest);
        // The read that was asked for before goes on.
        peer.send(RECORD);
        peer.send(RECORD);
        call(connection, connection::comeBack);
        peer.assertReceives(RECORD);
        peer.assertReceives(RECORD);
        peer.assertEchoes(RECORD);
        assertEquals(List.of(), List.copyOf(unasked));
    }

    @Test
    void whatWasReadAtRestWaitsInTheNextProcessUntilItIsAskedFor() throws Exception {
        ServerHandover server = start(onDemand());
        Peer peer = connect();
        Connection connection = onlyConnection(server);
        call(connection, connection::tryToRest);
        peer.send(RECORD);
        await().until(() -> unread(connection) == 0);
        handOver(server);

        asksWhenActive = false;
        ServerHandover next = start(onDemand());
        Connection adopted = onlyConnection(next);
        peer.send(RECORD);
        await().until(() -> unread(adopted) == FRAMED.length);
        handOver(next);
        ServerHandover last = start(onDemand());
        ask(onlyConnection(last));
        peer.assertReceives(RECORD);
        peer.assertReceives(RECORD);
        peer.assertEchoes(RECORD);
        assertEquals(List.of(), List.copyOf(unasked));
    }

    @Test
    void handlersTurnAutoReadOnAndOffWhileAtRest() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        Connection connection = onlyConnection(server);
        Channel channel = connection.channel();
        call(connection, connection::tryToRest);
        assertTrue(channel.config().isAutoRead());
        channel.config().setAutoRead(false);
        call(connection, connection::comeBack);
        assertFalse(channel.config().isAutoRead());
        peer.send(RECORD);
        call(connection, connection::tryToRest);
        channel.config().setAutoRead(true);
        await().until(() -> unread(connection) == FRAMED.length);
        call(connection, connection::comeBack);
        assertTrue(channel.config().isAutoRead());
        peer.assertReceives(RECORD);
        peer.assertEchoes(RECORD);
    }

    @Test
    void nothingIsReadAtRestWithAutoReadOn() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        Connection connection = onlyConnection(server);
        call(connection, connection::tryToRest);
        peer.send(RECORD);
        await().until(() -> unread(connection) == FRAMED.length);
        handOver(server);
        start();
        peer.assertReceives(RECORD);
    }
}
