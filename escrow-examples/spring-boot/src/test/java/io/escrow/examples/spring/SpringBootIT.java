package io.escrow.examples.spring;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.Certificates;
import io.escrow.testing.InMemoryEscrow;
import io.escrow.testing.JarProcess;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs the packaged server, and its successors, under the load of clients that keep their connections. */
@Timeout(300)
class SpringBootIT {

    private static final Path JAR = Path.of(System.getProperty("escrow-spring-boot.jar"));
    private static final String READY = "connections adopted";
    private static final String STARTED = "Netty started on port ";
    private static final int CLIENTS = 4;

    @TempDir
    private Path directory;

    private final HttpClient http = newClient();

    /** One for each load, which keeps its connection as long as the client is there. */
    private final List<HttpClient> ofLoads = new ArrayList<>();

    private final ExecutorService clients = Executors.newCachedThreadPool();
    private final List<Future<?>> loads = new ArrayList<>();
    private final AtomicBoolean enough = new AtomicBoolean();
    private final AtomicInteger answered = new AtomicInteger();
    private final List<JarProcess> processes = new ArrayList<>();
    private List<String> java = List.of();
    private JarProcess current;
    private int port;

    @AfterEach
    void endAll() throws IOException {
        enough.set(true);
        clients.shutdownNow();
        for (JarProcess process : processes) {
            process.close();
        }
    }

    private JarProcess start(String... more) throws IOException {
        List<String> arguments =
                new ArrayList<>(List.of("--escrow.path=" + directory.resolve("s"), "--server.port=" + port));
        arguments.addAll(List.of(more));
        JarProcess process = JarProcess.fromCopy(java, JAR, arguments.toArray(String[]::new));
        processes.add(process);
        return process;
    }

    private void startFirst(String... more) throws IOException {
        current = start(more);
        current.nextWith(READY);
        // Another thread says so: before it, or after it.
        String started = current.awaitLine(line -> line.contains(STARTED), STARTED);
        port = Integer.parseInt(started.replaceAll(".*" + STARTED + "(\\d+).*", "$1"));
    }

    private String waitThenEnd(String... more) throws IOException {
        JarProcess next = start(more);
        next.nextWith("waiting for the session");
        current.terminate();
        String line = next.nextWith(READY);
        current.awaitExit();
        current = next;
        return line;
    }

    private String endThenStart(String... more) throws IOException {
        current.terminate();
        current.awaitExit();
        current = start(more);
        return current.nextWith(READY);
    }

    private String killThenStart(String... more) throws IOException {
        current.awaitAsleep();
        current.kill();
        current = start(more);
        return current.nextWith(READY);
    }

    private URI uri(String scheme, String path) {
        return URI.create(scheme + "://127.0.0.1:" + port + path);
    }

    @Test
    void noRequestFailsAndNoWebSocketCloses() throws Exception {
        String[] options = {"--escrow.crash-safe=true", "--escrow.waves=20ms", "--escrow.create=false"};
        InMemoryEscrow escrow = InMemoryEscrow.start(directory.resolve("s"));
        try {
            startFirst(options);
            for (int i = 0; i < CLIENTS; i++) {
                Random random = new Random(i);
                HttpClient own = clientOfLoad();
                load(() -> request(own, random));
            }
            HttpClient slow = clientOfLoad();
            load(() -> get(slow, "/slow?ms=1500"));
            EchoClient webSocket = new EchoClient();
            http.newWebSocketBuilder().buildAsync(uri("ws", "/ws"), webSocket).join();
            try (Socket raw = new Socket(InetAddress.getLoopbackAddress(), port)) {
                load(() -> inTwoParts(raw));
                int connections = CLIENTS + 3;
                awaitAnswers(webSocket);
                assertHas(connections + " " + READY, waitThenEnd(options));
                awaitAnswers(webSocket);
                assertHas(connections + " " + READY, endThenStart(options));
                awaitAnswers(webSocket);
                endLoads();
                webSocket.silence();
                assertHas(connections + " found after a crash", killThenStart(options));
                assertEquals("escrow-spring-boot, process " + current.pid() + "\n", get("/"));
                webSocket.talk();
                awaitAnswers(webSocket);
            }
            assertNull(webSocket.failure());
        } finally {
            escrow.close();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"OPENSSL", "JDK"})
    void tlsConnectionsMoveWithoutAnyCode(String provider) throws Exception {
        java = List.of("-Dio.netty.handler.ssl.noOpenSsl=" + provider.equals("JDK"));
        moveTls("--server.ssl.key-store=" + keys(), "--server.ssl.key-store-password=password");
    }

    @Test
    void connectionsOfAContextOfTheApplicationMove() throws Exception {
        String bundle = "--spring.ssl.bundle.jks.web.keystore.";
        moveTls(
                "--spring.profiles.active=own-ssl-context",
                bundle + "location=" + keys(),
                bundle + "password=password");
    }

    private Path keys() {
        return directory.resolve("keys.p12");
    }

    private void moveTls(String... tls) throws Exception {
        Path keys = keys();
        List<String> all = new ArrayList<>(List.of("--escrow.create=false"));
        all.addAll(List.of(tls));
        String[] options = all.toArray(String[]::new);
        Certificates.write("server", keys);
        InMemoryEscrow escrow = InMemoryEscrow.start(directory.resolve("s"));
        try {
            startFirst(options);
            SSLContext trusting = SSLContext.getInstance("TLS");
            TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(KeyStore.getInstance(keys.toFile(), "password".toCharArray()));
            trusting.init(null, trust.getTrustManagers(), null);
            try (Socket raw = trusting.getSocketFactory().createSocket(InetAddress.getLoopbackAddress(), port)) {
                inTwoParts(raw);
                assertHas("1 " + READY, waitThenEnd(options));
                inTwoParts(raw);
                assertHas("1 " + READY, endThenStart(options));
                inTwoParts(raw);
            }
        } finally {
            escrow.close();
        }
    }

    private static void assertHas(String text, String line) {
        assertTrue(line.contains(" " + text), line);
    }

    private interface Step {
        void run() throws Exception;
    }

    private void load(Step step) {
        loads.add(clients.submit(() -> {
            while (!enough.get()) {
                step.run();
                answered.incrementAndGet();
            }
            return null;
        }));
    }

    private void endLoads() throws Exception {
        enough.set(true);
        for (Future<?> load : loads) {
            load.get();
        }
    }

    /** Makes a client with one connection: a shared one has as many as requests happened to be under way at once. */
    private HttpClient clientOfLoad() throws IOException, InterruptedException {
        HttpClient client = newClient();
        ofLoads.add(client);
        get(client, "/");
        return client;
    }

    private static HttpClient newClient() {
        return HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    }

    private void request(HttpClient client, Random random) throws IOException, InterruptedException {
        byte[] body = new byte[1 + (random.nextInt(3) == 0 ? random.nextInt(200_000) : 10)];
        random.nextBytes(body);
        HttpResponse<byte[]> echo = client.send(
                HttpRequest.newBuilder(uri("http", "/echo"))
                        .POST(BodyPublishers.ofByteArray(body))
                        .build(),
                BodyHandlers.ofByteArray());
        assertArrayEquals(body, echo.body());
        get(client, "/");
    }

    private String get(String path) throws IOException, InterruptedException {
        return get(http, path);
    }

    private String get(HttpClient client, String path) throws IOException, InterruptedException {
        HttpResponse<String> response =
                client.send(HttpRequest.newBuilder(uri("http", path)).build(), BodyHandlers.ofString());
        assertEquals(200, response.statusCode());
        return response.body();
    }

    /** Sends the head of a request in two parts. */
    private static void inTwoParts(Socket raw) throws IOException {
        raw.getOutputStream().write("GET / HTTP/1.1\r\nHost:".getBytes(UTF_8));
        raw.getOutputStream().write(" h\r\n\r\n".getBytes(UTF_8));
        StringBuilder answer = new StringBuilder();
        while (answer.indexOf("\r\n\r\n") < 0
                || answer.indexOf("process ") < 0
                || answer.charAt(answer.length() - 1) != '\n') {
            int c = raw.getInputStream().read();
            assertTrue(c >= 0, answer::toString);
            answer.append((char) c);
        }
        assertTrue(answer.toString().startsWith("HTTP/1.1 200 "), answer::toString);
    }

    private void awaitAnswers(EchoClient webSocket) throws Exception {
        int before = answered.get();
        int messages = webSocket.received();
        await().atMost(60, TimeUnit.SECONDS).until(() -> {
            assertNull(webSocket.failure());
            for (Future<?> load : loads) {
                if (load.isDone()) {
                    load.get();
                }
            }
            return (enough.get() || answered.get() >= before + 50) && webSocket.received() >= messages + 20;
        });
    }

    @Test
    void aDaemonIsStartedAndAProcessThatWaitsCanBeEnded() throws Exception {
        String option = "--management.endpoints.web.exposure.include=health,metrics";
        startFirst(option);
        Path lock = directory.resolve("s.lock");
        ProcessHandle daemon = ProcessHandle.of(
                        Long.parseLong(Files.readAllLines(lock).get(0)))
                .orElseThrow();
        try {
            JarProcess waiting = start(option);
            waiting.nextWith("waiting for the session");
            waiting.terminate();
            waiting.awaitExit();
            waitThenEnd(option);
            String health = get("/actuator/health");
            assertTrue(health.contains("\"status\":\"UP\""), health);
            String meter = get("/actuator/metrics/escrow.queue.wait");
            assertTrue(meter.contains("\"value\":1.0"), meter);
        } finally {
            daemon.destroy();
            daemon.onExit().get(60, TimeUnit.SECONDS);
        }
    }
}
