package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.tls.MovableTls;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslProvider;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** TLS connections that can't be moved go on where they are, and nobody says farewell. */
class TlsTest extends TlsHarness {

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void connectionIsDrainedByTheOldProcess(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        SslContext context = context(SslProvider.JDK).build();
        ServerHandover server = start(tlsServer(context));
        TlsPeer first = tlsClient();
        first.assertEchoes("one");
        awaitConnections(server, 1);
        HandoverReport report = handOver(server);
        assertEquals(0, report.connections());
        assertEquals(
                "TLS that the server was not told of, see ServerHandoverBuilder.tls (SslHandler)",
                report.staying().get(0).reason());
        ServerHandover next = start(tlsServer(context));
        assertEquals(0, next.startReport().adopted());
        assertTrue(next.startReport().refused().isEmpty());
        try (TlsPeer second = tlsClient()) {
            second.assertEchoes("two");
            awaitConnections(next, 1);
        }
        // A close_notify would end it here.
        first.assertEchoes("three");
        assertEquals(1, server.connections());
        assertFalse(server.drained().isDone());
        first.close();
        server.drained().get(10, TimeUnit.SECONDS);
    }

    @Test
    void cipherSuiteThatCantMoveIsNamed() throws Exception {
        SslContext context = context(SslProvider.JDK)
                .ciphers(List.of("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"))
                .protocols("TLSv1.2")
                .build();
        ServerHandover server = start(tlsServer(context).tls(MovableTls.of(context)));
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        assertEquals(
                "TLSv1.2 with cipher suite TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256: only TLS 1.3 and 1.2 with AES-GCM or"
                        + " ChaCha20-Poly1305 move, so leave others out of the context",
                handOver(server).staying().get(0).reason());
        start(tlsServer(context));
        peer.assertEchoes("two");
    }

    @Test
    void handshakeThatIsNotDoneIsNamed() throws Exception {
        SslContext context = context(SslProvider.JDK).build();
        ServerHandover server = start(tlsServer(context).tls(MovableTls.of(context)));
        connect();
        awaitConnections(server, 1);
        assertEquals(
                "a TLS handshake that is not done",
                handOver(server).staying().get(0).reason());
        start(tlsServer(context));
    }
}
