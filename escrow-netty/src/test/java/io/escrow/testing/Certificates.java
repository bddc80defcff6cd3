package io.escrow.testing;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Base64;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.TrustManagerFactory;

/** Makes self-signed certificates with the JDK's keytool, one for each name and process: nothing else in Java makes one. */
public final class Certificates {

    private static final String PASSWORD = "password";
    private static final String RSA = "RSA ";
    private static final Map<String, KeyStore> made = new ConcurrentHashMap<>();

    private Certificates() {}

    /** Returns a key of EC and its certificate, which is good for localhost, too. */
    public static KeyStore of(String name) {
        return made.computeIfAbsent(name, Certificates::make);
    }

    /** Returns a key of RSA and its certificate, which is good for localhost, too. */
    public static KeyStore rsa(String name) {
        return made.computeIfAbsent(RSA + name, Certificates::make);
    }

    private static KeyStore make(String key) {
        boolean rsa = key.startsWith(RSA);
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
                                "CN=" + (rsa ? key.substring(RSA.length()) : key),
                                "-ext",
                                "san=dns:localhost,ip:127.0.0.1",
                                "-keyalg",
                                rsa ? "RSA" : "EC")
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
        return keys(of(name));
    }

    /** Returns managers with a key. */
    public static KeyManagerFactory keys(KeyStore own) throws GeneralSecurityException {
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(own, PASSWORD.toCharArray());
        return keys;
    }

    /** Returns managers that trust the certificate of a name. */
    public static TrustManagerFactory trusting(String name) throws GeneralSecurityException {
        return trusting(of(name));
    }

    /** Returns managers that trust a certificate. */
    public static TrustManagerFactory trusting(KeyStore other) throws GeneralSecurityException {
        TrustManagerFactory trusted = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trusted.init(other);
        return trusted;
    }

    /** Writes the key and certificate of a name to a file in PKCS12, for another process; its password is "password". */
    public static void write(String name, Path file) throws IOException, GeneralSecurityException {
        try (OutputStream out = Files.newOutputStream(file)) {
            of(name).store(out, PASSWORD.toCharArray());
        }
    }

    /** Writes the certificate of a name, and its key, to files in PEM. */
    public static void writePem(String name, Path certificate, Path key) throws IOException, GeneralSecurityException {
        KeyStore own = of(name);
        String alias = own.aliases().nextElement();
        pem("CERTIFICATE", own.getCertificate(alias).getEncoded(), certificate);
        pem("PRIVATE KEY", own.getKey(alias, PASSWORD.toCharArray()).getEncoded(), key);
    }

    private static void pem(String what, byte[] bytes, Path file) throws IOException {
        Files.writeString(
                file,
                "-----BEGIN " + what + "-----\n" + Base64.getMimeEncoder().encodeToString(bytes) + "\n-----END " + what
                        + "-----\n");
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
