package io.escrow.spring;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;

/** Makes a server's key, and trusts it. */
final class TlsKeys {

    private TlsKeys() {}

    /** Makes a key store in a directory. */
    static Path make(Path directory) throws IOException, InterruptedException {
        Path store = directory.resolve("keys.p12");
        String options =
                "-genkeypair -alias server -keyalg EC -dname CN=localhost -storetype PKCS12 -storepass password"
                        + " -keystore " + store;
        String keytool =
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString();
        Process process = new ProcessBuilder((keytool + " " + options).split(" "))
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(output);
        }
        return store;
    }

    /** Connects with TLS, without looking at the certificate. */
    static Connection connect(int port) throws IOException, GeneralSecurityException {
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, InsecureTrustManagerFactory.INSTANCE.getTrustManagers(), new SecureRandom());
        SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(InetAddress.getLoopbackAddress(), port);
        socket.startHandshake();
        return new Connection(socket);
    }
}
