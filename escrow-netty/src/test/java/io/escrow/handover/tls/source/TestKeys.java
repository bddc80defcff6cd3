package io.escrow.handover.tls.source;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.TrustManagerFactory;

/** Keys with certificates of their own, made by keytool once for each algorithm. */
final class TestKeys {

    static final TestKeys EC = new TestKeys("EC");
    static final TestKeys RSA = new TestKeys("RSA");

    private static final String PASSWORD = "password";

    private final String algorithm;
    private KeyStore store;

    private TestKeys(String algorithm) {
        this.algorithm = algorithm;
    }

    /** Finds the keys of an algorithm. */
    static TestKeys of(String algorithm) {
        return algorithm.equals("RSA") ? RSA : EC;
    }

    private synchronized KeyStore store() throws IOException, GeneralSecurityException, InterruptedException {
        if (store == null) {
            Path directory = Files.createTempDirectory("keys");
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
                            algorithm)
                    .redirectErrorStream(true)
                    .start();
            String output = new String(keytool.getInputStream().readAllBytes(), UTF_8);
            if (keytool.waitFor() != 0) {
                throw new IOException(output);
            }
            store = KeyStore.getInstance("PKCS12");
            try (InputStream in = Files.newInputStream(file)) {
                store.load(in, PASSWORD.toCharArray());
            }
            Files.delete(file);
            Files.delete(directory);
        }
        return store;
    }

    KeyManagerFactory keys() throws Exception {
        KeyManagerFactory own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        own.init(store(), PASSWORD.toCharArray());
        return own;
    }

    TrustManagerFactory trust() throws Exception {
        TrustManagerFactory trusted = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trusted.init(store());
        return trusted;
    }
}
