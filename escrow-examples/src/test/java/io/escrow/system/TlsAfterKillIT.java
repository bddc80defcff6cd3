package io.escrow.system;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.system.TlsServer.Suite;
import io.escrow.testing.Certificates;
import io.escrow.testing.JarProcess;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.StandardProtocolFamily;
import java.net.URI;
import java.net.UnixDomainSocketAddress;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Kills crash-safe servers whose clients speak TLS: connections go on that are in the middle of nothing, the others are reset, and no
 * number seals two records.
 *
 * <p>The system property {@code handover.rounds} makes the test with random kills longer.
 */
class TlsAfterKillIT {

    private static final int ROUNDS = Integer.getInteger("handover.rounds", 4);
    private static final int LOADS = 12;

    @TempDir
    private Path directory;

    private final List<TlsClient> clients = new ArrayList<>();
    private final List<JarProcess> servers = new ArrayList<>();
    private final AtomicInteger echoes = new AtomicInteger();
    private final AtomicBoolean enough = new AtomicBoolean();
    private JarProcess daemon;
    private SSLContext context;
    private int port;

    @BeforeEach
    void prepare() throws Exception {
        Certificates.write("server", directory.resolve("keys"));
        Files.createFile(
                directory.resolve("seal"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.writeString(directory.resolve("seal"), "0123456789abcdef".repeat(4));
        context = SSLContext.getInstance("TLS");
        context.init(null, Certificates.trusting("server").getTrustManagers(), null);
        daemon = JarProcess.escrowd(directory.resolve("s"));
    }

    @AfterEach
    void end() throws IOException {
        for (TlsClient client : clients) {
            client.close();
        }
        servers.forEach(JarProcess::kill);
        daemon.kill();
        for (JarProcess server : servers) {
            server.close();
        }
        daemon.close();
    }

    private JarProcess launch(String provider) throws IOException {
        List<String> starter = provider.equals("JDK")
                ? List.of("env", "JDK_JAVA_OPTIONS=--add-opens=java.base/sun.security.ssl=ALL-UNNAMED")
                : List.of();
        JarProcess server = JarProcess.main(
                starter,
                List.of(),
                TlsServer.class,
                directory.resolve("s").toString(),
                Integer.toString(port),
                provider,
                directory.resolve("keys").toString(),
                directory.resolve("seal").toString());
        servers.add(server);
        return server;
    }

    /** Starts a server when the one before is gone; returns its report. */
    private String start(String provider) throws IOException {
        String line = launch(provider).awaitLine(TlsServer.SERVING);
        port = Integer.parseInt(line.split(" ", -1)[1]);
        return line;
    }

    private JarProcess server() {
        return servers.get(servers.size() - 1);
    }

    /** Waits until the escrow knows everything of the connections. */
    private void settle() throws IOException {
        for (int i = 0; i < 4; i++) {
            // What is to be stored may wait for an answer.
            server().awaitAsleep();
            daemon.awaitAsleep();
        }
    }

    private void kill() throws IOException {
        settle();
        assertTrue(
                Files.readString(Path.of("/proc/locks")).contains(" " + server().pid() + " "),
                "nobody could tell whether the server lives");
        server().kill();
    }

    private String killAtRest(String provider) throws IOException {
        kill();
        return start(provider);
    }

    private TlsClient connect(Suite suite) throws IOException {
        TlsClient client = new TlsClient(port, context, suite.protocol(), suite.name(), clients.size());
        clients.add(client);
        return client;
    }

    private static void assertFound(int count, String report) {
        assertTrue(report.contains("foundAfterCrash=" + count + ","), report);
    }

    @ParameterizedTest
    @ValueSource(strings = {"OPENSSL", "JDK"})
    void connectionsAtRestGoOn(String provider) throws Exception {
        start(provider);
        for (Suite suite : TlsServer.SUITES) {
            connect(suite).echo(10);
        }
        for (int round = 0; round < 2; round++) {
            for (TlsClient client : clients) {
                client.echo(round == 0 ? 100 : 40_000);
            }
            String report = killAtRest(provider);
            assertFound(clients.size(), report);
        }
        for (TlsClient client : clients) {
            client.echo(40_000);
        }
        // What comes while nobody is there, waits in the kernel.
        kill();
        for (TlsClient client : clients) {
            client.ask(100);
            client.ask(20_000);
        }
        assertFound(clients.size(), start(provider));
        for (TlsClient client : clients) {
            client.check();
        }
        // Handed over, and killed then.
        server().awaitAsleep();
        server().terminate();
        server().awaitExit();
        String report = start(provider);
        assertTrue(report.contains("adopted=" + clients.size() + ","), report);
        assertFound(clients.size(), killAtRest(provider));
        for (TlsClient client : clients) {
            client.echo(100);
            assertTrue(client.records() >= 10, () -> client.records() + " records");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"OPENSSL", "JDK"})
    void webSocketsGoOn(String provider) throws Exception {
        String line = start(provider);
        BlockingQueue<CharSequence> received = new LinkedBlockingQueue<>();
        WebSocket socket = HttpClient.newBuilder()
                .sslContext(context)
                .build()
                .newWebSocketBuilder()
                .buildAsync(URI.create("wss://localhost:" + line.split(" ", -1)[2] + "/"), new WebSocket.Listener() {
                    @Override
                    public CompletionStage<?> onText(WebSocket of, CharSequence data, boolean last) {
                        received.add(data.toString());
                        return WebSocket.Listener.super.onText(of, data, last);
                    }
                })
                .join();
        for (String text : List.of("one", "two")) {
            socket.sendText(text, true).join();
            assertEquals(text, received.poll(60, TimeUnit.SECONDS));
            assertFound(1, killAtRest(provider));
        }
        socket.sendText("three", true).join();
        assertEquals("three", received.poll(60, TimeUnit.SECONDS));
        socket.abort();
    }

    @ParameterizedTest
    @ValueSource(strings = {"OPENSSL", "JDK"})
    void newKeysGoOn(String provider) throws Exception {
        start(provider);
        for (Suite suite : TlsServer.SUITES.subList(0, 3)) {
            connect(suite).echo(10);
        }
        for (int round = 0; round < 2; round++) {
            for (TlsClient client : clients) {
                client.updateKeys();
                client.echo(10);
                client.echo(10);
            }
            assertFound(clients.size(), killAtRest(provider));
        }
        for (TlsClient client : clients) {
            client.echo(10);
        }
    }

    @Test
    void connectionsInTheMiddleOfARecordAreReset() throws Exception {
        start("OPENSSL");
        for (Suite suite : TlsServer.SUITES) {
            connect(suite).echo(10);
        }
        for (TlsClient client : clients) {
            client.sendHalf();
        }
        String report = killAtRest("OPENSSL");
        assertFound(0, report);
        assertEquals(clients.size(), report.split("in the middle of a message", -1).length - 1, report);
        for (TlsClient client : clients) {
            assertThrows(SocketException.class, () -> client.echo(10));
        }
    }

    /** The escrow does not have them, so that the kernel ends them with their process. */
    @Test
    void connectionsThatCantGoOnEndAtOnce() throws Exception {
        start("OPENSSL");
        connect(TlsServer.SUITES.get(0)).echo(10);
        try (Socket shaking = new Socket(InetAddress.getLoopbackAddress(), port)) {
            shaking.setSoTimeout(60_000);
            // A record of a handshake begins so.
            shaking.getOutputStream().write(22);
            kill();
            // Nobody is there.
            assertEquals(-1, shaking.getInputStream().read());
        }
        assertFound(1, start("OPENSSL"));
        clients.get(0).echo(10);
    }

    /** It could go on with the keys, and does. */
    @Test
    void connectionsOfAProcessThatLivesAreItsOwn() throws Exception {
        start("OPENSSL");
        for (Suite suite : TlsServer.SUITES) {
            connect(suite).echo(10);
        }
        settle();
        JarProcess next = launch("OPENSSL");
        next.awaitLine(line -> line.contains("waiting for the session"), "that it waits");
        evict();
        String report = next.awaitLine(TlsServer.SERVING);
        assertFound(0, report);
        assertEquals(
                clients.size(), report.split("nobody can tell whether its process has died", -1).length - 1, report);
        for (TlsClient client : clients) {
            client.echo(10);
        }
    }

    /** Has the daemon end the session of the current server, which goes on. */
    private void evict() throws IOException {
        try (SocketChannel operator = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            operator.connect(UnixDomainSocketAddress.of(directory.resolve("s.ctl")));
            operator.write(ByteBuffer.wrap(
                    "DELETE /session HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".getBytes(US_ASCII)));
            String answer = new String(Channels.newInputStream(operator).readAllBytes(), US_ASCII);
            assertTrue(answer.startsWith("HTTP/1.1 200"), answer);
        }
    }

    @Test
    void noNumberIsUsedTwiceWhateverIsKilled() throws Exception {
        Random random = new Random(7);
        start("OPENSSL");
        ScheduledExecutorService threads = Executors.newScheduledThreadPool(LOADS);
        List<TlsLoad> loads = new ArrayList<>();
        int found = 0;
        int records = 0;
        try {
            for (int i = 0; i < LOADS; i++) {
                loads.add(new TlsLoad(port, context, i, echoes, enough, threads));
                threads.execute(loads.get(i));
            }
            for (int round = 0; round < ROUNDS; round++) {
                int some = echoes.get() + 100 + random.nextInt(200);
                await().atMost(2, TimeUnit.MINUTES)
                        .pollInterval(1, TimeUnit.MILLISECONDS)
                        .until(() -> {
                            for (TlsLoad load : loads) {
                                assertFalse(load.ended().isDone(), () -> "a client has ended: " + load.ended());
                            }
                            return echoes.get() >= some;
                        });
                server().kill();
                found += Integer.parseInt(start("OPENSSL").replaceAll(".*foundAfterCrash=(\\d+),.*", "$1"));
            }
            enough.set(true);
            for (TlsLoad load : loads) {
                records += load.ended().get(1, TimeUnit.MINUTES);
            }
        } finally {
            enough.set(true);
            threads.shutdown();
        }
        assertTrue(found > 0, "no connection has gone on");
        assertTrue(records > echoes.get() / 2, records + " records of " + echoes.get() + " echoes");
    }
}
