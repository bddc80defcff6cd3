package io.escrow.examples.tls;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.handler.ssl.SslContextBuilder;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;

/** Makes self-signed certificates to try TLS with. Do not use them for anything else. */
public final class SelfSigned {

    private static final String PASSWORD = "password";

    private SelfSigned() {}

    /** Begins a context of a server with a new key, of which no file stays. */
    static SslContextBuilder builder() throws IOException, InterruptedException {
        Path directory = Files.createTempDirectory("escrow-");
        Path store = directory.resolve("key.p12");
        try {
            makeKey(store);
            return builder(store);
        } finally {
            Files.deleteIfExists(store);
            Files.delete(directory);
        }
    }

    /**
     * Begins a context of a server.
     *
     * @param store what {@link #makeKey} has written
     * @return what the context is made with
     * @throws IOException if the file can't be read, or has another content
     */
    public static SslContextBuilder builder(Path store) throws IOException {
        try (InputStream in = Files.newInputStream(store)) {
            KeyStore keys = KeyStore.getInstance("PKCS12");
            keys.load(in, PASSWORD.toCharArray());
            KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            factory.init(keys, PASSWORD.toCharArray());
            return SslContextBuilder.forServer(factory);
        } catch (GeneralSecurityException e) {
            throw new IOException("cannot use the key in " + store + ": " + e.getMessage(), e);
        }
    }

    /**
     * Makes a key with a certificate for {@code localhost}, with the JDK's {@code keytool}.
     *
     * @param store the file to write, which must not be there yet
     * @throws IOException if {@code keytool} fails; the message has its output
     * @throws InterruptedException if the thread is interrupted while it waits for {@code keytool}
     */
    public static void makeKey(Path store) throws IOException, InterruptedException {
        String options = "-genkeypair -alias server -keyalg EC -dname CN=localhost -validity 30"
                + " -ext san=dns:localhost,ip:127.0.0.1 -storetype PKCS12 -storepass " + PASSWORD;
        List<String> command = new ArrayList<>(List.of(options.split(" ")));
        command.add(
                0, Path.of(System.getProperty("java.home"), "bin", "keytool").toString());
        command.addAll(List.of("-keystore", store.toString()));
        Process keytool = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(keytool.getInputStream().readAllBytes(), UTF_8);
        if (keytool.waitFor() != 0) {
            throw new IOException("keytool cannot make a key: " + output);
        }
    }
}
