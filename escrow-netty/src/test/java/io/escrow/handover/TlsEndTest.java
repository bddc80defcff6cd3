package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.tls.MovableTls;
import io.netty.handler.ssl.SslHandler;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** TLS connections that have moved end as others do, and those that can't move are not lost. */
class TlsEndTest extends TlsMoves {

    @ParameterizedTest
    @ValueSource(strings = {"TLSv1.3", "TLSv1.2"})
    void serverClosesWithAWordAfterAMove(String protocol) throws Exception {
        useVersion(protocol);
        ServerHandover server = start(moving());
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        server = move(server, moving());
        server = move(server, moving());
        onlyConnection(server).channel().close();
        peer.assertCloseNotify();
    }

    @ParameterizedTest
    @ValueSource(strings = {"TLSv1.3", "TLSv1.2"})
    void clientClosesWithAWordAfterAMove(String protocol) throws Exception {
        useVersion(protocol);
        ServerHandover server = start(moving());
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        server = move(server, moving());
        peer.closeOutput();
        SslHandler ssl = onlyConnection(server).channel().pipeline().get(SslHandler.class);
        await().until(() -> ssl.engine().isInboundDone());
        if (protocol.equals("TLSv1.2")) {
            peer.assertCloseNotify();
        }
    }

    @Test
    void connectionThatIsHalfClosedMoves() throws Exception {
        useVersion("TLSv1.3");
        ServerHandover server = start(moving());
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        peer.send(Peer.framed(Peer.bytes(1_000_000, 1)));
        peer.closeOutput();
        for (int i = 0; i < 2; i++) {
            SslHandler ssl = onlyConnection(server).channel().pipeline().get(SslHandler.class);
            await().until(() -> ssl.engine().isInboundDone());
            server = move(server, moving());
        }
        peer.assertReceives(Peer.framed(Peer.bytes(1_000_000, 1)));
        onlyConnection(server).channel().close();
        peer.assertCloseNotify();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void connectionIsResetWhoseProcessMayLive(boolean moved) throws Exception {
        crashSafe = true;
        useVersion("TLSv1.3");
        ServerHandover server = start(moving());
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        if (moved) {
            server = move(server, moving());
            peer.assertEchoes("two");
        }
        awaitEscrowed(server, 1);
        checkpointOnly(server);
        crash(server);
        ServerHandover next = start(moving());
        assertEquals(0, next.startReport().foundAfterCrash());
        // It is this one.
        assertTrue(
                next.startReport().refused().get(0).contains("nobody can tell whether its process has died"),
                () -> next.startReport().refused().toString());
        assertThrows(IOException.class, () -> peer.assertEchoes("three"));
    }

    @Test
    void connectionIsResetWhoseKeysAreNotKept() throws Exception {
        crashSafe = true;
        useVersion("TLSv1.3");
        ServerHandover server =
                start(tlsServer(context).tls(MovableTls.of(context).withoutCrashKeys()));
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        awaitEscrowed(server, 1);
        checkpointOnly(server);
        crash(server);
        ServerHandover next = start(moving());
        assertTrue(
                next.startReport().refused().get(0).contains("TLS, whose keys are in no record"),
                () -> next.startReport().refused().toString());
        assertThrows(IOException.class, () -> peer.assertEchoes("two"));
    }

    @Test
    void nextVersionWithoutTlsLeavesTheConnection() throws Exception {
        useVersion("TLSv1.3");
        ServerHandover server = start(moving());
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        handOver(server);
        ServerHandover without = start(tlsServer(context));
        assertEquals(0, without.startReport().adopted());
        // Keys of session tickets may be left, too.
        assertEquals(
                1,
                without.startReport().left().stream()
                        .filter(left -> left.startsWith("connection "))
                        .count());
        handOver(without);
        ServerHandover with = start(moving());
        assertEquals(1, with.startReport().adopted());
        peer.assertEchoes("two");
    }
}
