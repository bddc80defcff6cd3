package io.escrow.handover.tls.record;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.handler.ssl.SslProvider;
import io.netty.util.ReferenceCountUtil;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.security.cert.X509Certificate;
import java.util.Random;
import javax.net.ssl.SSLEngineResult.Status;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSession;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Clients that had their handshake with BoringSSL go on with moved engines, and notice nothing. */
class MovedEngineClientsTest {

    private static final int STEPS = 150;

    private final ByteArrayOutputStream fromClient = new ByteArrayOutputStream();
    private final ByteArrayOutputStream fromServer = new ByteArrayOutputStream();
    private final ByteArrayOutputStream atClient = new ByteArrayOutputStream();
    private final ByteArrayOutputStream atServer = new ByteArrayOutputStream();
    private Random random;
    private EnginePair pair;
    private MovedEngine engine;
    private boolean tls13;
    private int moves;

    // With itself, BoringSSL agrees on the first suite of TLS 1.3 whatever is asked of it.
    @ParameterizedTest
    @CsvSource({
        "JDK, TLSv1.3, TLS_AES_128_GCM_SHA256",
        "JDK, TLSv1.3, TLS_AES_256_GCM_SHA384",
        "JDK, TLSv1.3, TLS_CHACHA20_POLY1305_SHA256",
        "JDK, TLSv1.2, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "JDK, TLSv1.2, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "JDK, TLSv1.2, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "OPENSSL, TLSv1.3, TLS_AES_128_GCM_SHA256",
        "OPENSSL, TLSv1.2, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "OPENSSL, TLSv1.2, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "OPENSSL, TLSv1.2, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
    })
    void connectionGoesOn(SslProvider provider, String protocol, String suite) throws Exception {
        long seed = System.nanoTime();
        random = new Random(seed);
        tls13 = protocol.equals(CipherSuite.TLS_1_3);
        Handshakes.Established established = Handshakes.begin(provider, protocol, suite);
        try {
            NonceRecord nonces = new NonceRecord(established.state());
            engine = new MovedEngine(TlsState.decode(established.state().encode()));
            pair = new EnginePair(established.client(), engine);
            assertSession(protocol, suite);
            for (int i = 0; i < STEPS; i++) {
                step(provider == SslProvider.JDK);
            }
            receiveAll();
            assertArrayEquals(fromClient.toByteArray(), atServer.toByteArray());
            assertArrayEquals(fromServer.toByteArray(), atClient.toByteArray());
            assertTrue(moves > 0);
            assertCloses();
            assertTrue(nonces.note(pair.sentByServer()) > 0);
        } catch (SSLException | AssertionError e) {
            throw new AssertionError("with the seed " + seed, e);
        } finally {
            ReferenceCountUtil.release(established.client());
        }
    }

    private void assertSession(String protocol, String suite) throws Exception {
        SSLSession session = engine.getSession();
        assertEquals(protocol, session.getProtocol());
        assertEquals(suite, session.getCipherSuite());
        assertEquals("http/1.1", engine.getApplicationProtocol());
        assertEquals("CN=localhost", session.getPeerPrincipal().getName());
        assertEquals(
                "CN=localhost",
                ((X509Certificate) session.getPeerCertificates()[0])
                        .getIssuerX500Principal()
                        .getName());
    }

    private void step(boolean clientCanUpdate) throws SSLException {
        switch (random.nextInt(clientCanUpdate && tls13 ? 9 : 8)) {
            case 0, 1 -> {
                byte[] data = data();
                fromClient.writeBytes(data);
                pair.sendByClient(data);
            }
            case 2, 3 -> {
                byte[] data = data();
                fromServer.writeBytes(data);
                pair.sendByServer(data);
            }
            case 4 -> {
                atServer.writeBytes(pair.receiveByServer(random.nextInt(3000)));
                pair.sendByServer(new byte[0]);
            }
            case 5 -> receiveAll();
            case 6 -> move();
            case 7 -> {
                if (tls13) {
                    engine.beginHandshake();
                    pair.sendByServer(new byte[0]);
                }
            }
            default -> {
                pair.client.beginHandshake();
                pair.sendByClient(new byte[0]);
            }
        }
    }

    private byte[] data() {
        return ClientSide.bytes(random, random.nextInt(8) == 0 ? random.nextInt(40_000) : random.nextInt(200));
    }

    /** Moves, or begins to: then nothing is written until it goes on. */
    private void move() throws SSLException {
        if (!engine.isAtRest()) {
            return;
        }
        TlsState state = engine.take();
        ByteBuffer net = ByteBuffer.allocate(1 << 15);
        assertEquals(0, engine.wrap(ByteBuffer.wrap(new byte[10]), net).bytesProduced());
        if (random.nextInt(3) == 0) {
            state.destroy();
            engine.resume();
            return;
        }
        byte[] encoded = state.encode();
        state.destroy();
        engine.destroy();
        assertThrows(IllegalStateException.class, engine::resume);
        engine = new MovedEngine(TlsState.decode(encoded));
        pair.server = engine;
        moves++;
    }

    private void receiveAll() throws SSLException {
        for (int i = 0; i < 3; i++) { // a KeyUpdate, and its answer
            atServer.writeBytes(pair.receiveByServer(0));
            pair.sendByServer(new byte[0]);
            atClient.writeBytes(pair.receiveByClient());
            pair.sendByClient(new byte[0]);
        }
    }

    private void assertCloses() throws SSLException {
        if (random.nextBoolean()) {
            pair.closeByClient();
            pair.receiveByServer(0);
            assertTrue(engine.isInboundDone());
            pair.sendByServer(new byte[0]);
        } else {
            engine.closeOutbound();
            pair.sendByServer(new byte[0]);
            pair.receiveByClient();
            assertEquals(Status.CLOSED, pair.lastReceived);
        }
        assertTrue(engine.isOutboundDone());
    }
}
