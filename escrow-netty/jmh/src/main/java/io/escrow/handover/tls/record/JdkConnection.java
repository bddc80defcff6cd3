package io.escrow.handover.tls.record;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLException;

/** A client and a server with the engines of the JDK, behind their handshake. */
final class JdkConnection {

    final SSLEngine client;
    final SSLEngine server;
    private final ByteBuffer toServer = ByteBuffer.allocate(1 << 16);
    private final ByteBuffer toClient = ByteBuffer.allocate(1 << 16);
    private final ByteBuffer plain = ByteBuffer.allocate(1 << 16);

    JdkConnection(String protocol, String suite) throws IOException, GeneralSecurityException, InterruptedException {
        SSLContext context = context();
        client = engine(context, true, protocol, suite);
        server = engine(context, false, protocol, suite);
        client.beginHandshake();
        server.beginHandshake();
        while (handshakes(client) || handshakes(server) || toClient.position() > 0) {
            send(client, toServer);
            receive(server, toServer);
            send(server, toClient);
            receive(client, toClient);
        }
        if (!server.getSession().getCipherSuite().equals(suite)) {
            throw new IllegalStateException(
                    "suite: " + server.getSession().getCipherSuite() + " (expected: " + suite + ")");
        }
    }

    private static SSLContext context() throws IOException, GeneralSecurityException, InterruptedException {
        SelfSignedKeys keys = SelfSignedKeys.make();
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.own().getKeyManagers(), keys.trusted().getTrustManagers(), null);
        return context;
    }

    private static SSLEngine engine(SSLContext context, boolean client, String protocol, String suite) {
        SSLEngine engine = context.createSSLEngine();
        engine.setUseClientMode(client);
        engine.setEnabledProtocols(new String[] {protocol});
        engine.setEnabledCipherSuites(new String[] {suite});
        return engine;
    }

    private static boolean handshakes(SSLEngine engine) {
        return engine.getHandshakeStatus() != HandshakeStatus.NOT_HANDSHAKING;
    }

    private static void send(SSLEngine from, ByteBuffer net) throws SSLException {
        runTasks(from);
        while (from.getHandshakeStatus() == HandshakeStatus.NEED_WRAP) {
            from.wrap(ByteBuffer.allocate(0), net);
            runTasks(from);
        }
    }

    private void receive(SSLEngine to, ByteBuffer net) throws SSLException {
        net.flip();
        while (net.hasRemaining() && to.unwrap(net, plain.clear()).bytesConsumed() > 0) {
            runTasks(to);
        }
        net.compact();
    }

    private static void runTasks(SSLEngine engine) {
        for (Runnable task = engine.getDelegatedTask(); task != null; task = engine.getDelegatedTask()) {
            task.run();
        }
    }
}
