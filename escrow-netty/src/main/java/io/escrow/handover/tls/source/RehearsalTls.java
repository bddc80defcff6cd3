package io.escrow.handover.tls.source;

import io.escrow.handover.tls.record.CipherSuite;
import io.escrow.handover.tls.record.MovedEngine;
import io.escrow.handover.tls.record.SessionInfo;
import io.escrow.handover.tls.record.TlsState;
import io.netty.channel.ChannelHandler;
import io.netty.handler.ssl.SslHandler;
import java.security.SecureRandom;
import java.util.List;

/**
 * The TLS of one connection of a rehearsal, of which both ends are in this process: as if a handshake had been done, with random keys of its
 * own. No certificate and no context is needed for it, and none is asked for.
 */
public final class RehearsalTls {

    private static final List<String> SUITES = List.of("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384");
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final RehearsalTls UNUSED = new RehearsalTls(0);

    private final TlsState server;

    /** Makes the keys of a connection, whose suite follows from its number, which is not negative. */
    public RehearsalTls(int number) {
        CipherSuite suite = CipherSuite.of(CipherSuite.TLS_1_3, SUITES.get(number % SUITES.size()))
                .orElseThrow();
        server = new TlsState(
                suite,
                direction(suite),
                direction(suite),
                true,
                new byte[0],
                new SessionInfo("", "", new byte[0], System.currentTimeMillis(), List.of()));
    }

    /** Returns whether connections can move in this process: with Netty's handlers and the ciphers of the JVM as they are. */
    public static boolean isPossible() {
        if (SslInternals.whyUnknown() != null) {
            return false;
        }
        try {
            for (int i = 0; i < SUITES.size(); i++) {
                new RehearsalTls(i).client();
            }
            return true;
        } catch (IllegalStateException noCipher) {
            return false;
        }
    }

    private static TlsState.Direction direction(CipherSuite suite) {
        byte[] secret = new byte[suite.secretLength()];
        RANDOM.nextBytes(secret);
        return new TlsState.Direction(secret, 0, false);
    }

    /** Returns what the server goes on from, as its record has it. */
    public byte[] server() {
        return server.encode();
    }

    /** Returns the handler of the client, whose handshake is done with the first message. */
    public ChannelHandler client() {
        return MovedTls.of(new TlsState(
                server.suite(),
                /* reads= */ server.writes(),
                /* writes= */ server.reads(),
                server.halfClose(),
                server.message(),
                server.session()));
    }

    /** Returns the handler that a fresh pipeline of the server has: a connection that goes on has another one in its place. */
    public static ChannelHandler fresh() {
        return new SslHandler(new MovedEngine(UNUSED.server));
    }
}
