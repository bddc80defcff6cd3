package io.escrow.netty41;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.TestProcess;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Moves live connections between real processes with Netty 4.1 and 4.2, in all directions, while their clients go on. The
 * daemon has Netty 4.2.
 */
class BothLinesIT {

    private static final String V4_1 = "4.1";
    private static final String V4_2 = "4.2";
    private static final int CLIENTS = 10;

    /** It has the library, and all of Netty 4.2 that the server needs. */
    private static final String DAEMON = System.getProperty("escrowd.jar");

    @TempDir
    Path directory;

    private final List<TestProcess> processes = new ArrayList<>();
    private final List<EitherClient> clients = new ArrayList<>();
    private List<String> ports = List.of("0", "0");

    private Path socket() {
        return directory.resolve("s");
    }

    @BeforeEach
    void startDaemon() throws IOException {
        TestProcess daemon = run("-jar", DAEMON, socket().toString());
        daemon.awaitLine(line -> line.contains("Listening on"), "Listening on");
    }

    @AfterEach
    void endProcesses() throws IOException {
        for (EitherClient client : clients) {
            client.close();
        }
        for (TestProcess process : processes) {
            process.close();
            assertEquals(
                    List.of(),
                    process.lines().stream()
                            .filter(line -> line.contains("LEAK: "))
                            .toList());
        }
    }

    private TestProcess run(String... arguments) throws IOException {
        TestProcess process = new TestProcess(new ProcessBuilder(TestProcess.java(arguments)));
        processes.add(process);
        return process;
    }

    private TestProcess launch(String line, boolean crashSafe, boolean waves) throws IOException {
        String tests = location(EitherServer.class) + File.pathSeparator + location(TestProcess.class);
        String path = line.equals(V4_1) ? System.getProperty("java.class.path") : DAEMON + File.pathSeparator + tests;
        return run(
                "-cp",
                path,
                EitherServer.class.getName(),
                socket().toString(),
                ports.get(0),
                ports.get(1),
                String.valueOf(crashSafe),
                String.valueOf(waves));
    }

    private static String location(Class<?> type) {
        return type.getProtectionDomain().getCodeSource().getLocation().getPath();
    }

    private String awaitServing(TestProcess server, String line) {
        String serving = server.awaitLine(EitherServer.SERVING);
        String[] words = serving.split(" ", 5);
        assertEquals(line, words[1]);
        ports = List.of(words[2], words[3]);
        return words[4];
    }

    private void connect() throws IOException {
        for (int i = 0; i < CLIENTS; i++) {
            boolean http = i % 2 == 1;
            clients.add(new EitherClient(Integer.parseInt(ports.get(http ? 1 : 0)), http));
        }
    }

    private void awaitAnswers(String line) {
        for (EitherClient client : clients) {
            await().atMost(Duration.ofSeconds(60))
                    .until(() -> client.ended().isDone() || client.lines().contains(line));
            client.lines().clear();
        }
        assertTrue(clients.stream().noneMatch(client -> client.ended().isCompletedExceptionally()), this::whatFailed);
    }

    private String whatFailed() {
        List<String> told = new ArrayList<>();
        clients.forEach(client -> told.add(String.valueOf(
                client.ended().handle((nothing, failure) -> failure).getNow(null))));
        processes.forEach(process -> told.addAll(process.lines()));
        return String.join("\n", told);
    }

    private void endClients() throws Exception {
        clients.forEach(EitherClient::end);
        CompletableFuture.allOf(clients.stream().map(EitherClient::ended).toArray(CompletableFuture[]::new))
                .get(60, TimeUnit.SECONDS);
    }

    @ParameterizedTest
    @CsvSource({"false, true", "true, false"})
    void connectionsMoveFromEachLineToEach(boolean crashSafe, boolean waves) throws Exception {
        TestProcess server = launch(V4_1, crashSafe, waves);
        awaitServing(server, V4_1);
        connect();
        awaitAnswers(V4_1);
        for (String line : List.of(V4_2, V4_1, V4_1)) {
            TestProcess next = launch(line, crashSafe, waves);
            server.terminate();
            String report = awaitServing(next, line);
            assertTrue(report.contains("adopted=" + CLIENTS), () -> report + "\n" + whatFailed());
            assertEquals(143, server.awaitExit(), this::whatFailed);
            awaitAnswers(line);
            server = next;
        }
        endClients();
    }

    private void assertFound(TestProcess server, String line) throws IOException {
        String report = awaitServing(server, line);
        assertTrue(report.contains("foundAfterCrash=" + CLIENTS), report);
        for (EitherClient client : clients) {
            assertEquals(line, client.ask("/again"));
        }
    }

    @Test
    void connectionsOutliveAKilledProcessOfTheOtherLine() throws Exception {
        TestProcess server = launch(V4_1, true, false);
        awaitServing(server, V4_1);
        connect();
        awaitAnswers(V4_1);
        endClients();
        killAtRest(server);
        server = launch(V4_2, true, false);
        assertFound(server, V4_2);
        killAtRest(server);
        assertFound(launch(V4_1, true, false), V4_1);
    }

    /** Kills a server that is in the middle of nothing: a connection that is would be reset. */
    private static void killAtRest(TestProcess server) throws IOException {
        server.awaitAsleep();
        server.kill();
    }
}
