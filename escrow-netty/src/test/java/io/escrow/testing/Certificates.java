package io.escrow.testing;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.TrustManagerFactory;

/** Makes self-signed certificates with the JDK's keytool, one for each name and process. */
public final class Certificates {

    private static final String PASSWORD = "password";
    private static final Map<String, KeyStore> made = new ConcurrentHashMap<>();

    private Certificates() {}

    /** Returns a key and its certificate, which is good for localhost, too. */
    public static KeyStore of(String name) {
        return made.computeIfAbsent(name, Certificates::make);
    }

    private static KeyStore make(String name) {
        try {
            Path directory = Files.createTempDirectory("certificate");
            Path file = directory.resolve("keys");
            try {
                Process keytool = new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "keytool")
                                        .toString(),
                                "-genkeypair",
                                "-keystore",
                                file.toString(),
                                "-storepass",
                                PASSWORD,
                                "-dname",
                                "CN=" + name,
                                "-ext",
                                "san=dns:localhost,ip:127.0.0.1",
                                "-keyalg",
                                "EC")
                        .redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .start();
                if (keytool.waitFor() != 0) {
                    throw new IllegalStateException("keytool failed with " + keytool.exitValue());
                }
                return load(file);
            } finally {
                Files.deleteIfExists(file);
                Files.delete(directory);
            }
        } catch (IOException | GeneralSecurityException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Returns managers with the key of a name. */
    public static KeyManagerFactory keys(String name) throws GeneralSecurityException {
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(of(name), PASSWORD.toCharArray());
        return keys;
    }

    /** Returns managers that trust the certificate of a name. */
    public static TrustManagerFactory trusting(String name) throws GeneralSecurityException {
        TrustManagerFactory trusted = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trusted.init(of(name));
        return trusted;
    }

    /** Writes the key and certificate of a name to a file, for another process. */
    public static void write(String name, Path file) throws IOException, GeneralSecurityException {
        try (OutputStream out = Files.newOutputStream(file)) {
            of(name).store(out, PASSWORD.toCharArray());
        }
    }

    /** Has a name mean what another process has written. */
    public static void read(String name, Path file) throws IOException, GeneralSecurityException {
        made.put(name, load(file));
    }

    private static KeyStore load(Path file) throws IOException, GeneralSecurityException {
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(file)) {
            keys.load(in, PASSWORD.toCharArray());
        }
        return keys;
    }
}
