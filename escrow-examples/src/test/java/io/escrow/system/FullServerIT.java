package io.escrow.system;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.JarProcess;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Upgrades a server that has reached its limit of open files, with more clients in the queue. */
@Timeout(120)
class FullServerIT {

    private static final int OPEN_FILES = 150;
    private static final int CLIENTS = 200;

    @TempDir
    Path directory;

    private final List<Socket> clients = new ArrayList<>();

    @ParameterizedTest
    @ValueSource(strings = {"--waves=10", "--crash-safe"})
    void allClientsAreServedByTheNextProcess(String option) throws Exception {
        Path socket = directory.resolve("s");
        String limit = "ulimit -n " + OPEN_FILES + "; exec \"$@\"";
        String[] server = {"http-server", "--escrow=" + socket, "--no-create", option};
        try (JarProcess daemon = JarProcess.escrowd(socket);
                JarProcess full = JarProcess.start(List.of("bash", "-c", limit, "bash"), with("--port=0", server))) {
            int port = Integer.parseInt(full.nextWith("Serving port ").replaceAll("\\D*(\\d+).*", "$1"));
            for (int i = 0; i < CLIENTS; i++) {
                clients.add(new Socket(InetAddress.getLoopbackAddress(), port));
            }
            full.nextWith("Too many open files");
            // Nobody knows yet who answers those that are in the queue.
            clients.forEach(FullServerIT::ask);
            try (JarProcess next = JarProcess.start(with("--port=" + port, server))) {
                next.nextWith("waiting for the session");
                full.terminate();
                assertTrue(next.nextWith("Serving port ").contains(" connections adopted"));
                assertEquals(0, full.awaitExit(), () -> full.lines().toString());
                assertEquals(
                        option.startsWith("--waves"),
                        full.lines().stream().anyMatch(line -> line.contains("handed over at once, not in waves")));
                for (Socket client : clients) {
                    answer(client);
                    ask(client);
                }
                for (Socket client : clients) {
                    String answer = answer(client);
                    assertTrue(answer.endsWith(", process " + next.pid()), answer);
                }
            }
            assertTrue(daemon.isAlive());
        } finally {
            for (Socket client : clients) {
                client.close();
            }
        }
    }

    private static String[] with(String port, String... server) {
        List<String> arguments = new ArrayList<>(List.of(server));
        arguments.add(port);
        return arguments.toArray(String[]::new);
    }

    private static void ask(Socket client) {
        try {
            client.getOutputStream().write("GET / HTTP/1.1\r\nHost: h\r\n\r\n".getBytes(US_ASCII));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Returns the only line of the body. */
    private static String answer(Socket client) throws IOException {
        BufferedReader reader = new BufferedReader(new InputStreamReader(client.getInputStream(), US_ASCII));
        assertEquals("HTTP/1.1 200 OK", reader.readLine());
        String line = reader.readLine();
        while (line != null && !line.isEmpty()) {
            line = reader.readLine();
        }
        return reader.readLine();
    }
}
