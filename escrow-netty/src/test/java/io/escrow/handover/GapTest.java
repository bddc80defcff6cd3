package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.client.BlockingEscrow;
import io.escrow.handover.connection.Connection;
import io.escrow.handover.protocol.Movable;
import io.escrow.internal.EventLoops;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.unix.Socket;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What happens to a connection while it is in the escrow, and what it brings along. */
class GapTest extends HandoverHarness {

    private boolean keepHalfClosed;

    private static final byte[] RECORD = Peer.bytes(1000, 1);

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void connectionThatIsResetMeanwhileIsRefused(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start();
        List<Peer> peers = connect(3);
        awaitConnections(server, 3);
        handOver(server);
        peers.get(1).reset();
        server = start();
        assertEquals(2, server.startReport().adopted());
        assertEquals(1, server.startReport().refused().size());
        assertTrue(server.startReport().refused().get(0).contains("reset"), server.startReport()::toString);
        peers.get(0).assertEchoes(RECORD);
        peers.get(2).assertEchoes(RECORD);
        awaitConnections(server, 2);
        awaitEscrowed(server, crashSafe ? 2 : 0);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void peerThatHangsUpMeanwhileGetsItsAnswer(boolean halfClosure) throws Exception {
        ServerHandover server = start(halfClosing(halfClosure));
        Peer peer = connect();
        awaitConnections(server, 1);
        handOver(server);
        peer.send(RECORD);
        peer.shutdownOutput();
        server = start(halfClosing(halfClosure));
        assertEquals(1, server.startReport().adopted());
        peer.assertReceives(RECORD);
        peer.assertEnds();
        awaitConnections(server, 0);
    }

    @Test
    void nothingIsReadBeforeTheConnectionIsThisProcesss() throws Exception {
        List<Boolean> read = new CopyOnWriteArrayList<>();
        ServerHandover server = start(looking(read));
        List<Peer> peers = connect(50);
        awaitConnections(server, 50);
        handOver(server);
        for (Peer peer : peers) {
            peer.send(RECORD);
            peer.shutdownOutput();
        }
        server = start(looking(read));
        assertEquals(Collections.nCopies(50, false), read);
        for (Peer peer : peers) {
            peer.assertReceives(RECORD);
            peer.assertEnds();
        }
        awaitConnections(server, 0);
    }

    @Test
    void connectionThatIsClosedMeanwhileEnds() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        awaitConnections(server, 1);
        handOver(server);
        peer.send(RECORD);
        peer.close();
        server = start();
        awaitConnections(server, 0);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void bytesThatAHangUpForcesInAreKept(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start();
        Peer resting = connect();
        Connection connection = onlyConnection(server);
        EventLoops.call(connection.channel().eventLoop(), connection::tryToRest).join();
        resting.send(RECORD);
        resting.shutdownOutput();
        // Netty reads until the end, whatever auto-read says.
        await().until(() -> ((EpollSocketChannel) connection.channel()).isInputShutdown());
        HandoverReport report = handOver(server);
        assertEquals(1, report.connections());
        server = start();
        resting.assertReceives(RECORD);
        resting.assertEnds();
        awaitConnections(server, 0);
    }

    @Test
    void bytesThatAHangUpForcesInAreAnsweredWhenTheHandoverFails() throws Exception {
        ServerHandover server = start();
        Peer resting = connect();
        Connection connection = onlyConnection(server);
        EventLoops.call(connection.channel().eventLoop(), connection::tryToRest).join();
        resting.send(RECORD);
        resting.shutdownOutput();
        await().until(() -> ((EpollSocketChannel) connection.channel()).isInputShutdown());
        EventLoops.call(connection.channel().eventLoop(), connection::comeBack)
                .join()
                .join();
        resting.assertReceives(RECORD);
        resting.assertEnds();
        awaitConnections(server, 0);
    }

    @Test
    void halfClosedConnectionGoesOn() throws Exception {
        keepHalfClosed = true;
        ServerHandover server = start(halfClosing(true));
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        peer.shutdownOutput();
        for (int round = 0; round < 3; round++) {
            Channel channel = onlyConnection(server).channel();
            await().until(() -> ((EpollSocketChannel) channel).isInputShutdown());
            handOver(server);
            server = start(halfClosing(true));
            Channel adopted = onlyConnection(server).channel();
            byte[] push = Peer.bytes(5000, round);
            adopted.writeAndFlush(Unpooled.wrappedBuffer(Peer.framed(push)));
            peer.assertReceives(push);
        }
        onlyConnection(server).channel().close();
        peer.assertEnds();
    }

    @Test
    void outputThatThisSideHasShutStaysShut() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        EpollSocketChannel channel = (EpollSocketChannel) onlyConnection(server).channel();
        channel.shutdownOutput().sync();
        peer.assertEnds();
        handOver(server);
        server = start();
        assertTrue(((EpollSocketChannel) onlyConnection(server).channel()).isOutputShutdown());
        peer.close();
        awaitConnections(server, 0);
    }

    @Test
    void connectsDuringTheGapAreAnsweredByTheNextProcess() throws Exception {
        ServerHandover server = start();
        for (int round = 0; round < 5; round++) {
            handOver(server);
            List<Peer> peers = connect(20);
            for (Peer peer : peers) {
                peer.send(RECORD);
            }
            server = start();
            for (Peer peer : peers) {
                peer.assertReceives(RECORD);
                peer.close();
            }
            awaitConnections(server, 0);
        }
    }

    @ParameterizedTest
    @CsvSource({"true,-1", "false,-1", "true,0", "false,0", "false,7"})
    void socketOptionsComeThroughAsTheyWere(boolean noDelay, int linger) throws Exception {
        ServerHandover server = start(withOptions());
        connect();
        Connection connection = onlyConnection(server);
        connection.channel().config().setOption(ChannelOption.TCP_NODELAY, noDelay);
        connection.channel().config().setOption(ChannelOption.SO_LINGER, linger);
        handOver(server);
        server = start(withOptions());
        Socket socket = (Socket) EventLoops.descriptor(onlyConnection(server).channel());
        assertEquals(noDelay, socket.isTcpNoDelay());
        assertEquals(linger, socket.getSoLinger());
    }

    /** A server that sets, for fresh connections, other options than those that are tested. */
    private ServerHandoverBuilder withOptions() {
        ServerBootstrap bootstrap = bootstrap(ch -> ch.pipeline().addLast(new Echo()));
        bootstrap.childOption(ChannelOption.SO_LINGER, 3).childOption(ChannelOption.TCP_NODELAY, true);
        return server(bootstrap);
    }

    @Test
    void recordsThatAreLargerThanAPayloadGoThroughFurtherSlots() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        byte[] record = Peer.bytes(10_000_000, 3);
        byte[] framed = Peer.framed(record);
        for (int sent = 0; sent < framed.length; ) {
            int next = Math.min(framed.length, sent + 2_345_678);
            peer.sendRaw(framed, sent, next);
            sent = next;
            Connection connection = onlyConnection(server);
            await().until(() -> unread(connection) == 0);
            handOver(server);
            if (sent < framed.length) {
                try (BlockingEscrow escrow = connectToEscrow()) {
                    assertTrue(escrow.tag(2).used() > 10);
                }
            }
            server = start();
            assertEquals(0, server.context().client().tag(2).join().used());
        }
        peer.assertReceives(record);
    }

    @Test
    void handoverRightAfterTheStartTakesEverybodyAlong() throws Exception {
        ServerHandover server = start();
        List<Peer> peers = connect(30);
        for (int round = 0; round < 5; round++) {
            handOver(server);
            server = start();
        }
        for (Peer peer : peers) {
            peer.assertEchoes(RECORD);
        }
    }

    @Test
    void bytesOfEachKindKeepTheirOrder() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        // Much more than the sockets hold: some waits to be sent, some to be decoded, some to be read.
        byte[][] records = new byte[40][];
        Thread sender = new Thread(() -> {
            try {
                for (byte[] record : records) {
                    peer.send(record);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        for (int i = 0; i < records.length; i++) {
            records[i] = Peer.bytes(1_000_000, i);
        }
        sender.start();
        for (int i = 0; i < records.length; i++) {
            if (i % 4 == 0) {
                handOver(server);
                server = start();
            }
            peer.assertReceives(records[i]);
        }
        sender.join();
    }

    private ServerHandoverBuilder looking(List<Boolean> read) {
        return server(bootstrap(ch ->
                ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), new Echo(), new Looker(read))));
    }

    /** Looks, when it is restored, whether Netty has read to the end. */
    private static final class Looker extends ChannelInboundHandlerAdapter implements Movable {
        private final List<Boolean> read;

        Looker(List<Boolean> read) {
            this.read = read;
        }

        @Override
        public String section() {
            return "look";
        }

        @Override
        public void save(ChannelHandlerContext ctx, ByteBuf out) {
            out.writeByte(1);
        }

        @Override
        public void restore(ChannelHandlerContext ctx, ByteBuf in) {
            read.add(((EpollSocketChannel) ctx.channel()).isInputShutdown());
        }
    }

    private ServerHandoverBuilder halfClosing(boolean allowed) {
        ServerBootstrap bootstrap =
                bootstrap(ch -> ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), new Echo() {
                    @Override
                    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
                        if (event == ChannelInputShutdownEvent.INSTANCE && !keepHalfClosed) {
                            ctx.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
                        }
                    }
                }));
        bootstrap.childOption(ChannelOption.ALLOW_HALF_CLOSURE, allowed);
        return server(bootstrap);
    }
}
