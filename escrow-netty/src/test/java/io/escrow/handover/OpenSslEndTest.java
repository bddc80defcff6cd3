package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslProvider;
import org.junit.jupiter.api.Test;

/** The same with BoringSSL. */
class OpenSslEndTest extends TlsEndTest {

    @Override
    SslProvider provider() {
        return SslProvider.OPENSSL;
    }

    /** Netty answers with a close_notify of its own at once, with this provider. */
    @Override
    @Test
    void connectionThatIsHalfClosedMoves() throws Exception {
        useVersion("TLSv1.3");
        ServerHandover server = start(moving());
        TlsPeer peer = tlsClient();
        peer.assertEchoes("one");
        peer.closeOutput();
        SslHandler ssl = onlyConnection(server).channel().pipeline().get(SslHandler.class);
        await().until(() -> ssl.engine().isInboundDone());
        assertEquals(
                "a TLS connection that is about to close",
                handOver(server).staying().get(0).reason());
        start(moving());
        peer.assertCloseNotify();
    }
}
