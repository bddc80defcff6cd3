package io.escrow.examples.vertx;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.Successors;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
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

@Timeout(300)
class VertxServerIT {

    private static final int EACH = 4;
    private static final int HANDOVERS = 4;
    private static final int PATIENCE_SECONDS = 60;

    @TempDir
    private Path directory;

    private boolean tls;

    private final ExecutorService clients = Executors.newCachedThreadPool();
    private final List<Future<Void>> loads = new ArrayList<>();
    private final AtomicBoolean enough = new AtomicBoolean();
    private final AtomicInteger answered = new AtomicInteger();

    @AfterEach
    void stopClients() {
        enough.set(true);
        clients.shutdownNow();
    }

    @ParameterizedTest
    @ValueSource(strings = {"--crash-safe", "--waves=20", "--waves=20 --tls"})
    void noRequestFailsAndNoWebSocketCloses(String options) throws Exception {
        tls = options.contains("--tls");
        try (Successors server = new Successors(directory, options.split(" "))) {
            for (int i = 0; i < EACH; i++) {
                Random random = new Random(i);
                HttpClient http = client();
                // It has its connection, however slow the others are.
                request(http, server, random);
                load(() -> request(http, server, random));
                Socket socket = new Socket(server, tls);
                load(() -> socket.exchange("message " + random.nextInt()));
            }
            for (int i = 0; i < HANDOVERS; i++) {
                awaitAnswers(100);
                String line = i % 2 == 0 ? server.waitThenEnd() : server.endThenStart();
                assertTrue(line.contains(": " + 2 * EACH + " connections adopted"), line);
            }
            awaitAnswers(100);
            enough.set(true);
            for (Future<Void> load : loads) {
                load.get();
            }
        }
    }

    @Test
    void idleConnectionsOutliveAKill() throws Exception {
        try (Successors server = new Successors(directory, "--crash-safe")) {
            HttpClient http = client();
            Socket socket = new Socket(server, tls);
            request(http, server, new Random(0));
            socket.exchange("before");
            for (int i = 0; i < 2; i++) {
                String line = server.killThenStart();
                assertTrue(line.contains("2 found after a crash"), line);
                request(http, server, new Random(i));
                socket.exchange("after " + i);
            }
        }
    }

    private static HttpClient client() throws GeneralSecurityException {
        SSLContext trusting = SSLContext.getInstance("TLS");
        trusting.init(null, new TrustManager[] {new TrustAll()}, null);
        return HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .sslContext(trusting)
                .build();
    }

    /** Looks at no certificate, and at no name. */
    private static final class TrustAll extends X509ExtendedTrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, java.net.Socket socket) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, java.net.Socket socket) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }

    private void load(Callable<Void> work) {
        loads.add(clients.submit(() -> {
            while (!enough.get()) {
                work.call();
                answered.incrementAndGet();
            }
            return null;
        }));
    }

    private void awaitAnswers(int more) throws Exception {
        int before = answered.get();
        await().atMost(PATIENCE_SECONDS, TimeUnit.SECONDS)
                .until(() -> loads.stream().anyMatch(Future::isDone) || answered.get() >= before + more);
        for (Future<Void> load : loads) {
            if (load.isDone()) {
                load.get();
            }
        }
    }

    private Void request(HttpClient http, Successors server, Random random) throws Exception {
        byte[] body = new byte[random.nextInt(3) == 0 ? random.nextInt(200_000) : 10];
        random.nextBytes(body);
        HttpResponse<byte[]> echo = http.send(
                HttpRequest.newBuilder(server.uri(tls ? "https" : "http", "/echo"))
                        .POST(BodyPublishers.ofByteArray(body))
                        .build(),
                BodyHandlers.ofByteArray());
        assertEquals(200, echo.statusCode());
        assertArrayEquals(body, echo.body());
        String path = random.nextInt(10) == 0 ? "/slow?ms=" + (1 + random.nextInt(300)) : "/";
        HttpResponse<String> answer = http.send(
                HttpRequest.newBuilder(server.uri(tls ? "https" : "http", path)).build(), BodyHandlers.ofString());
        assertEquals(200, answer.statusCode());
        return null;
    }

    /** A WebSocket of the JDK. */
    private static final class Socket implements WebSocket.Listener {

        private static final String CLOSED = "closed: ";

        private final BlockingQueue<String> received = new LinkedBlockingQueue<>();
        private final StringBuilder message = new StringBuilder();
        private final WebSocket socket;

        Socket(Successors server, boolean tls) throws Exception {
            socket = client().newWebSocketBuilder()
                    .buildAsync(server.uri(tls ? "wss" : "ws", "/ws"), this)
                    .get();
        }

        Void exchange(String text) throws Exception {
            socket.sendText(text, true).get();
            assertEquals(text, received.poll(PATIENCE_SECONDS, TimeUnit.SECONDS));
            return null;
        }

        @Override
        public CompletionStage<?> onText(WebSocket from, CharSequence text, boolean last) {
            // A message may come in parts, as its bytes come.
            message.append(text);
            if (last) {
                received.add(message.toString());
                message.setLength(0);
            }
            from.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onClose(WebSocket from, int status, String reason) {
            received.add(CLOSED + status + " " + reason);
            return null;
        }

        @Override
        public void onError(WebSocket from, Throwable error) {
            received.add(CLOSED + error);
        }
    }
}
