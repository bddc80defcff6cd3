package io.escrow.handover.tls.record;

import io.escrow.testing.Certificates;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ApplicationProtocolConfig.Protocol;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectedListenerFailureBehavior;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectorFailureBehavior;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.ReferenceCountedOpenSslContext;
import io.netty.handler.ssl.ReferenceCountedOpenSslEngine;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.netty.internal.tcnative.SSL;
import io.netty.internal.tcnative.SSLContext;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import javax.net.ssl.SSLEngine;

/**
 * Handshakes of real clients with BoringSSL as the server, whose secrets come from its key log: what is left of it is the
 * state to go on with.
 */
final class Handshakes {

    private static final String NAME = "localhost";

    private Handshakes() {}

    /** A client, and the state of the server that it talks to. */
    record Established(SSLEngine client, TlsState state) {}

    /** Does the handshake. The engine of the client need not be released. */
    static Established begin(SslProvider clientProvider, String protocol, String suiteName) throws Exception {
        Map<String, byte[]> secrets = new HashMap<>();
        SslContext serverContext = SslContextBuilder.forServer(Certificates.keys(NAME))
                .sslProvider(SslProvider.OPENSSL)
                .protocols(protocol)
                .ciphers(List.of(suiteName))
                .trustManager(Certificates.trusting(NAME))
                .clientAuth(ClientAuth.REQUIRE)
                .applicationProtocolConfig(alpn())
                .build();
        SslContext clientContext = SslContextBuilder.forClient()
                .sslProvider(clientProvider)
                .protocols(protocol)
                .ciphers(List.of(suiteName))
                .trustManager(Certificates.trusting(NAME))
                .keyManager(Certificates.keys(NAME))
                .endpointIdentificationAlgorithm(null)
                .applicationProtocolConfig(alpn())
                .build();
        logSecrets(serverContext, secrets);
        SSLEngine client = clientContext.newEngine(UnpooledByteBufAllocator.DEFAULT, NAME, 443);
        ReferenceCountedOpenSslEngine server =
                (ReferenceCountedOpenSslEngine) serverContext.newEngine(UnpooledByteBufAllocator.DEFAULT);
        try {
            EnginePair pair = new EnginePair(client, server);
            pair.shakeHands();
            CipherSuite suite = CipherSuite.of(
                            server.getSession().getProtocol(),
                            server.getSession().getCipherSuite())
                    .orElseThrow();
            SessionInfo session = SessionInfo.of(server.getSession(), server.getApplicationProtocol(), NAME);
            return new Established(client, state(suite, secrets, server.sslPointer(), pair, session));
        } finally {
            server.release();
        }
    }

    private static ApplicationProtocolConfig alpn() {
        return new ApplicationProtocolConfig(
                Protocol.ALPN,
                SelectorFailureBehavior.NO_ADVERTISE,
                SelectedListenerFailureBehavior.ACCEPT,
                "http/1.1");
    }

    /** What tcnative wants is not what {@code sslCtxPointer()} tells. */
    private static void logSecrets(SslContext context, Map<String, byte[]> secrets) throws Exception {
        Field field = ReferenceCountedOpenSslContext.class.getDeclaredField("ctx");
        field.setAccessible(true);
        boolean possible = SSLContext.setKeyLogCallback(field.getLong(context), (ssl, line) -> {
            String[] words = new String(line, StandardCharsets.US_ASCII).split(" ", -1);
            secrets.put(words[0], HexFormat.of().parseHex(words[2].strip()));
        });
        if (!possible) {
            throw new AssertionError("no key log");
        }
    }

    private static TlsState state(
            CipherSuite suite, Map<String, byte[]> secrets, long ssl, EnginePair pair, SessionInfo session) {
        if (suite.isTls13()) {
            byte[] written = secrets.get("SERVER_TRAFFIC_SECRET_0");
            return new TlsState(
                    suite,
                    new TlsState.Direction(secrets.get("CLIENT_TRAFFIC_SECRET_0"), 0, false),
                    new TlsState.Direction(written, sentWith(new Trial(suite, written), pair), false),
                    false,
                    new byte[0],
                    session);
        }
        KeyDerivation.KeyBlock keys = KeyDerivation.keyBlock(
                suite, SSL.getMasterKey(ssl), SSL.getClientRandom(ssl), SSL.getServerRandom(ssl));
        return new TlsState(
                suite,
                new TlsState.Direction(keys.client(), 1, false), // behind the Finished
                new TlsState.Direction(keys.server(), 1, false),
                false,
                new byte[0],
                session);
    }

    /** Returns how many records the server has sent with a secret: the tickets. */
    private static long sentWith(Trial trial, EnginePair pair) {
        long sequence = 0;
        ByteBuffer sent = ByteBuffer.wrap(pair.sentByServer());
        while (sent.hasRemaining()) {
            int end = sent.position() + RecordFormat.HEADER + (sent.getShort(sent.position() + 3) & 0xffff);
            if (trial.opens(sent.duplicate().limit(end), sequence)) {
                sequence++;
            }
            sent.position(end);
        }
        return sequence;
    }
}
