package io.escrow.examples;

import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import javax.net.ssl.KeyManagerFactory;

/** Makes a certificate that is good for trying TLS out, and for nothing else. */
final class SelfSigned {

    private static final String PASSWORD = "password";

    private SelfSigned() {}

    static SslContext context() throws IOException, InterruptedException {
        Path directory = Files.createTempDirectory("escrow-");
        Path store = directory.resolve("key.p12");
        try {
            makeKey(store);
            KeyStore keys = KeyStore.getInstance("PKCS12");
            try (InputStream in = Files.newInputStream(store)) {
                keys.load(in, PASSWORD.toCharArray());
            }
            KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            factory.init(keys, PASSWORD.toCharArray());
            return SslContextBuilder.forServer(factory).build();
        } catch (GeneralSecurityException e) {
            throw new IOException("no certificate could be made", e);
        } finally {
            Files.deleteIfExists(store);
            Files.delete(directory);
        }
    }

    private static void makeKey(Path store) throws IOException, InterruptedException {
        Process keytool = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "keytool")
                                .toString(),
                        "-genkeypair",
                        "-alias=server",
                        "-keyalg=EC",
                        "-dname=CN=localhost",
                        "-ext=san=dns:localhost,ip:127.0.0.1",
                        "-validity=30",
                        "-storetype=PKCS12",
                        "-storepass=" + PASSWORD,
                        "-keystore=" + store)
                .redirectErrorStream(true)
                .start();
        String output = new String(keytool.getInputStream().readAllBytes());
        if (keytool.waitFor() != 0) {
            throw new IOException("keytool: " + output);
        }
    }
}
