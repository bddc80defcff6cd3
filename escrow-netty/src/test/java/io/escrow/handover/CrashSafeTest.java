package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.connection.Connection;
import io.escrow.internal.EventLoops;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Escrows connections as they come, and frees them as they go. */
class CrashSafeTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(1000, 1);

    @BeforeEach
    void beCrashSafe() {
        crashSafe = true;
    }

    @Test
    void connectionsGoOnAfterACrash() throws Exception {
        ServerHandover server = start();
        List<Peer> peers = connect(10);
        for (Peer peer : peers) {
            peer.assertEchoes(RECORD);
        }
        for (int round = 0; round < 3; round++) {
            crash(server);
            server = start();
            assertEquals(10, server.startReport().foundAfterCrash(), server.startReport()::toString);
            assertEquals(List.of("echo"), server.startReport().adoptedListeners());
            for (Peer peer : peers) {
                peer.assertEchoes(RECORD);
            }
        }
    }

    @Test
    void connectionIsEscrowedBeforeItIsRead() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        crash(server);
        start();
        peer.assertEchoes(RECORD);
    }

    @Test
    void peerSeesAtOnceThatTheServerCloses() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        Channel channel = onlyConnection(server).channel();
        awaitEscrowed(server, 1);
        channel.close();
        peer.assertEnds();
        awaitEscrowed(server, 0);
    }

    @Test
    void peerSeesTheEndThoughTheEscrowDoesNotAnswer() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        Connection connection = onlyConnection(server);
        awaitEscrowed(server, 1);
        // The slot is not freed, since there is no session to ask for it; another one keeps it.
        server.context().client().close();
        server.context().client().closed().toCompletableFuture().join();
        connection.channel().close();
        peer.assertEnds();
        handOver(server);
        server = start();
        awaitEscrowed(server, 0);
    }

    @Test
    void serverThatAsksForAResetSendsIt() throws Exception {
        ServerBootstrap bootstrap = bootstrap(ch -> ch.pipeline().addLast(new Echo()));
        bootstrap.childOption(ChannelOption.SO_LINGER, 0);
        ServerHandover server = start(server(bootstrap));
        Peer peer = connect();
        Connection connection = onlyConnection(server);
        awaitEscrowed(server, 1);
        connection.channel().close();
        peer.assertReset();
    }

    @Test
    void nothingIsEscrowedForAConnectionThatHasEnded() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        Connection ended = onlyConnection(server);
        peer.close();
        awaitConnections(server, 0);
        // It gets the number of the descriptor that was closed.
        connect().assertEchoes(RECORD);
        EventLoops.call(ended.channel().eventLoop(), () -> Connections.storeForCrash(ended))
                .thenCompose(done -> done)
                .join();
        assertEquals(
                1,
                server.context()
                        .client()
                        .tag(server.context().table().connectionTag())
                        .join()
                        .used());
    }

    @Test
    void slotIsFreedWhenThePeerCloses() throws Exception {
        ServerHandover server = start();
        List<Peer> peers = connect(3);
        awaitEscrowed(server, 3);
        peers.get(0).close();
        peers.get(1).reset();
        awaitEscrowed(server, 1);
        peers.get(2).assertEchoes(RECORD);
    }

    @Test
    void slotIsFreedWhenAHandlerClosesBecauseOfAReset() throws Exception {
        ServerHandover server = start(server(bootstrap(ch -> ch.pipeline().addLast(new Echo() {
            @Override
            public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
                ctx.close();
            }
        }))));
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        awaitEscrowed(server, 1);
        peer.reset();
        awaitEscrowed(server, 0);
        awaitConnections(server, 0);
    }

    @Test
    void slotsOfConnectionsThatEndAtOnceAreFreed() throws Exception {
        ServerHandover server = start();
        for (int i = 0; i < 200; i++) {
            Peer peer = connect();
            if (i % 2 == 0) {
                peer.reset();
            } else {
                peer.close();
            }
        }
        await().until(() ->
                server.connections() == 0 && server.context().connections().arriving() == 0);
        connect().assertEchoes(RECORD);
        awaitEscrowed(server, 1);
    }

    @Test
    void slotIsFreedAfterAHandover() throws Exception {
        ServerHandover server = start();
        List<Peer> peers = connect(2);
        awaitConnections(server, 2);
        handOver(server);
        server = start();
        peers.get(0).close();
        awaitEscrowed(server, 1);
        assertEquals(2, server.startReport().adopted());
        onlyConnection(server).channel().close();
        peers.get(1).assertEnds();
        awaitEscrowed(server, 0);
    }

    @Test
    void whatIsNotToBeResumedIsClosed() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        crash(server);
        server = start(echoServer().resumeAfterCrash(channel -> false));
        peer.assertEnds();
        assertEquals(0, server.startReport().foundAfterCrash());
        assertEquals(1, server.startReport().refused().size());
        awaitEscrowed(server, 0);
    }

    @Test
    void whatWasHandedOverCleanlyIsResumedInAnyCase() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        handOver(server);
        server = start(echoServer().resumeAfterCrash(channel -> false));
        peer.assertEchoes(RECORD);
        assertEquals(1, server.startReport().adopted());
    }

    @Test
    void closeFreesEverything() throws Exception {
        ServerHandover server = start();
        List<Peer> peers = connect(5);
        awaitEscrowed(server, 5);
        server.close();
        for (Peer peer : peers) {
            peer.assertEnds();
        }
        // The harness looks into the escrow.
    }

    @Test
    void closeRightAfterConnectsFreesEverything() throws Exception {
        ServerHandover server = start();
        connect(50);
        server.close();
        assertTrue(server.context().connections().all().isEmpty());
    }

    @Test
    void crashSafetyCanBeTurnedOnAndOffFromVersionToVersion() throws Exception {
        crashSafe = false;
        ServerHandover server = start();
        Peer peer = connect();
        for (boolean next : new boolean[] {true, false, true}) {
            awaitConnections(server, 1);
            handOver(server);
            crashSafe = next;
            server = start();
            peer.assertEchoes(RECORD);
            awaitEscrowed(server, next ? 1 : 0);
        }
        crash(server);
        start();
        peer.assertEchoes(RECORD);
    }
}
