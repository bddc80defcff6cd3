package io.escrow.system;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.Certificates;
import io.escrow.testing.Successors;
import java.net.Socket;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The system property {@code handover.rounds} says how often the servers are handed over. */
@Timeout(300)
class HttpServerIT {

    private static final int CLIENTS = 8;
    private static final int HANDOVERS = Integer.getInteger("handover.rounds", 5);

    @TempDir
    private Path directory;

    private final ExecutorService clients = Executors.newCachedThreadPool();
    private final AtomicBoolean enough = new AtomicBoolean();
    private final AtomicInteger answered = new AtomicInteger();

    @AfterEach
    void stopClients() {
        enough.set(true);
        clients.shutdownNow();
    }

    @ParameterizedTest
    @ValueSource(strings = {"--drain=10", "--crash-safe", "--waves=10"})
    void noRequestFails(String option) throws Exception {
        try (Successors server = new Successors(directory, "http-server", option)) {
            List<Future<Void>> loads = new ArrayList<>();
            for (int i = 0; i < CLIENTS; i++) {
                Random random = new Random(i);
                // One that is shared has as many connections as requests happened to be under way at once.
                HttpClient http = HttpClient.newBuilder()
                        .version(HttpClient.Version.HTTP_1_1)
                        .build();
                request(http, server, random);
                loads.add(clients.submit(() -> {
                    while (!enough.get()) {
                        request(http, server, random);
                    }
                    return null;
                }));
            }
            for (int i = 0; i < HANDOVERS; i++) {
                awaitAnswers(loads, 100);
                String line = i % 2 == 0 ? server.waitThenEnd() : server.endThenStart();
                assertTrue(line.contains(": " + CLIENTS + " connections adopted"), line);
            }
            awaitAnswers(loads, 100);
            enough.set(true);
            for (Future<Void> load : loads) {
                load.get();
            }
        }
    }

    private void request(HttpClient http, Successors server, Random random) throws Exception {
        byte[] body = new byte[random.nextInt(3) == 0 ? random.nextInt(200_000) : 10];
        random.nextBytes(body);
        HttpResponse<byte[]> echo = http.send(
                HttpRequest.newBuilder(server.uri("http", "/echo"))
                        .POST(BodyPublishers.ofByteArray(body))
                        .build(),
                BodyHandlers.ofByteArray());
        assertEquals(200, echo.statusCode());
        assertArrayEquals(body, echo.body());
        String path = random.nextInt(10) == 0 ? "/slow?ms=" + random.nextInt(300) : "/";
        HttpResponse<String> answer =
                http.send(HttpRequest.newBuilder(server.uri("http", path)).build(), BodyHandlers.ofString());
        assertEquals(200, answer.statusCode());
        answered.addAndGet(2);
    }

    private void awaitAnswers(List<Future<Void>> loads, int more) throws Exception {
        int before = answered.get();
        await().atMost(60, TimeUnit.SECONDS)
                .until(() -> loads.stream().anyMatch(Future::isDone) || answered.get() >= before + more);
        for (Future<Void> load : loads) {
            if (load.isDone()) {
                load.get();
            }
        }
    }

    @Test
    void idleConnectionsOutliveAKill() throws Exception {
        try (Successors server = new Successors(directory, "http-server", "--crash-safe")) {
            HttpClient http =
                    HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
            request(http, server, new Random(1));
            for (int i = 0; i < 3; i++) {
                String line = server.killThenStart();
                assertTrue(line.contains("1 found after a crash"), line);
                request(http, server, new Random(i));
            }
        }
    }

    /** The JDK lets nobody look into its TLS unless it is told to. */
    private static List<String> starter(String provider) {
        return provider.equals("jdk")
                ? List.of("env", "JDK_JAVA_OPTIONS=--add-opens=java.base/sun.security.ssl=ALL-UNNAMED")
                : List.of();
    }

    /** Starts servers that share a certificate: to make one for each takes longer than the rest of a start. */
    private Successors tlsServers(String provider, String... options) throws Exception {
        Path certificate = directory.resolve("certificate");
        Path key = directory.resolve("key");
        Certificates.writePem("localhost", certificate, key);
        List<String> arguments = new ArrayList<>(
                List.of("http-server", "--tls", "--tls-provider=" + provider, "--cert=" + certificate, "--key=" + key));
        arguments.addAll(List.of(options));
        return new Successors(directory, starter(provider), arguments.toArray(String[]::new));
    }

    private static HttpClient tlsClient() throws Exception {
        SSLContext trusting = SSLContext.getInstance("TLS");
        trusting.init(null, new TrustManager[] {new TrustAll()}, new SecureRandom());
        return HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .sslContext(trusting)
                .build();
    }

    @ParameterizedTest
    @ValueSource(strings = {"openssl", "jdk"})
    void tlsConnectionMoves(String provider) throws Exception {
        try (Successors server = tlsServers(provider, "--waves=50")) {
            HttpClient http = tlsClient();
            String before = get(http, server, "/").body();
            for (int i = 0; i < 4; i++) {
                String line = i % 2 == 0 ? server.waitThenEnd() : server.endThenStart();
                assertTrue(line.contains(": 1 connections adopted"), line);
                String after = get(http, server, "/").body();
                assertTrue(after.startsWith("escrow-examples ") && !after.equals(before), after);
                before = after;
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"openssl", "jdk"})
    void tlsConnectionsVerifyBytesThroughHandovers(String provider) throws Exception {
        try (Successors server = tlsServers(provider)) {
            List<Future<Void>> loads = new ArrayList<>();
            for (int i = 0; i < CLIENTS; i++) {
                Random random = new Random(i);
                HttpClient http = tlsClient();
                echo(http, server, random);
                loads.add(clients.submit(() -> {
                    while (!enough.get()) {
                        echo(http, server, random);
                    }
                    return null;
                }));
            }
            for (int i = 0; i < 5; i++) {
                awaitAnswers(loads, 100);
                String line = server.endThenStart();
                assertTrue(line.contains(": " + CLIENTS + " connections adopted"), line);
            }
            awaitAnswers(loads, 100);
            enough.set(true);
            for (Future<Void> load : loads) {
                load.get();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"openssl", "jdk"})
    void idleTlsConnectionOutlivesKills(String provider) throws Exception {
        try (Successors server = new Successors(
                directory, starter(provider), "http-server", "--tls", "--crash-safe", "--tls-provider=" + provider)) {
            HttpClient http = tlsClient();
            echo(http, server, new Random(1));
            for (int i = 0; i < 2; i++) {
                String line = server.killThenStart();
                assertTrue(line.contains("1 found after a crash"), line);
                echo(http, server, new Random(i));
            }
        }
    }

    private void echo(HttpClient http, Successors server, Random random) throws Exception {
        byte[] body = new byte[random.nextInt(3) == 0 ? random.nextInt(200_000) : 10];
        random.nextBytes(body);
        HttpResponse<byte[]> echo = http.send(
                HttpRequest.newBuilder(server.uri("https", "/echo"))
                        .POST(BodyPublishers.ofByteArray(body))
                        .build(),
                BodyHandlers.ofByteArray());
        assertEquals(200, echo.statusCode());
        assertArrayEquals(body, echo.body());
        answered.incrementAndGet();
    }

    @Test
    void tlsThatCantMoveIsDrainedAndTheNextProcessServes() throws Exception {
        // Java is not told that its TLS may be looked into.
        try (Successors server = new Successors(directory, "http-server", "--tls", "--tls-provider=jdk")) {
            HttpClient http = tlsClient();
            String first = get(http, server, "/").body();
            assertEquals(first, get(http, server, "/").body());
            // Under way when the server is told to end: answered by the old process.
            CountDownLatch asking = new CountDownLatch(1);
            Future<HttpResponse<String>> slow = clients.submit(() -> {
                asking.countDown();
                return get(http, server, "/slow?ms=1500");
            });
            asking.await();
            String line = server.endThenStart();
            assertTrue(line.contains(": 0 connections adopted"), line);
            HttpResponse<String> answer = slow.get();
            assertEquals("slow answer of " + first, answer.body());
            assertEquals("close", answer.headers().firstValue("connection").orElse(""));
            String second = get(http, server, "/").body();
            assertTrue(second.startsWith("escrow-examples ") && !second.equals(first), second);
        }
    }

    private static HttpResponse<String> get(HttpClient http, Successors server, String path) throws Exception {
        return http.send(HttpRequest.newBuilder(server.uri("https", path)).build(), BodyHandlers.ofString());
    }

    /** Trusts a certificate that was made a moment ago. */
    private static final class TrustAll extends X509ExtendedTrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
