package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** TLS connections can't be moved: they go on where they are, and nobody says farewell. */
class TlsTest extends HandoverHarness {

    private static final String PASSWORD = "password";

    private SslContext serverContext;
    private SSLContext clientContext;

    @BeforeEach
    void makeCertificate() throws Exception {
        Path file = directory.resolve("keys");
        Process keytool = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "keytool")
                                .toString(),
                        "-genkeypair",
                        "-keystore",
                        file.toString(),
                        "-storepass",
                        PASSWORD,
                        "-dname",
                        "CN=localhost",
                        "-keyalg",
                        "EC")
                .redirectErrorStream(true)
                .start();
        assertEquals(0, keytool.waitFor());
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(file)) {
            keys.load(in, PASSWORD.toCharArray());
        }
        KeyManagerFactory own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        own.init(keys, PASSWORD.toCharArray());
        serverContext = SslContextBuilder.forServer(own).build();
        TrustManagerFactory trusted = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trusted.init(keys);
        clientContext = SSLContext.getInstance("TLS");
        clientContext.init(null, trusted.getTrustManagers(), null);
    }

    private ServerHandoverBuilder tlsServer() {
        ServerBootstrap bootstrap = bootstrap(ch -> ch.pipeline()
                .addLast(
                        serverContext.newHandler(ch.alloc()),
                        new LengthFieldBasedFrameDecoder(1 << 20, 0, 4),
                        new Echo()));
        return server(bootstrap);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void connectionIsDrainedByTheOldProcess(boolean crashSafe) throws Exception {
        this.crashSafe = crashSafe;
        ServerHandover server = start(tlsServer());
        try (SSLSocket first = tlsClient()) {
            assertEcho(first, "one");
            awaitConnections(server, 1);
            HandoverReport report = handOver(server);
            assertEquals(0, report.connections());
            assertEquals("TLS (SslHandler)", report.staying().get(0).reason());
            ServerHandover next = start(tlsServer());
            assertEquals(0, next.startReport().adopted());
            assertTrue(next.startReport().refused().isEmpty());
            try (SSLSocket second = tlsClient()) {
                assertEcho(second, "two");
                awaitConnections(next, 1);
            }
            // A close_notify would end it here.
            assertEcho(first, "three");
            assertEquals(1, server.connections());
            assertFalse(server.drained().isDone());
        }
        server.drained().get(10, TimeUnit.SECONDS);
    }

    private SSLSocket tlsClient() throws IOException {
        SSLSocket socket =
                (SSLSocket) clientContext.getSocketFactory().createSocket(InetAddress.getLoopbackAddress(), port);
        socket.setSoTimeout(10_000);
        return socket;
    }

    private static void assertEcho(SSLSocket socket, String text) throws IOException {
        DataOutputStream out = new DataOutputStream(socket.getOutputStream());
        byte[] bytes = Peer.framed(text.getBytes(java.nio.charset.StandardCharsets.UTF_8));
        out.write(bytes);
        byte[] echoed = new byte[bytes.length];
        new DataInputStream(socket.getInputStream()).readFully(echoed);
        assertEquals(text, new String(echoed, 4, text.length(), java.nio.charset.StandardCharsets.UTF_8));
    }
}
