package io.escrow.system;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.JarProcess;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Copies another version over the jar of servers that run, as {@code cp} does, and then hands them over. */
@Timeout(300)
class OverwrittenJarIT {

    private static final String READY = "Serving port ";

    @TempDir
    private Path directory;

    private final List<JarProcess> processes = new ArrayList<>();
    private final List<Socket> sockets = new ArrayList<>();
    private Path jar;
    private Path escrow;
    private int port;

    @BeforeEach
    void copyJar() throws IOException {
        jar = Files.copy(JarProcess.jar(), directory.resolve("app.jar"));
        escrow = directory.resolve("s");
    }

    @AfterEach
    void end() throws IOException {
        for (Socket socket : sockets) {
            socket.close();
        }
        for (JarProcess process : processes) {
            process.close();
        }
    }

    private JarProcess daemon(String... options) throws IOException {
        return add(JarProcess.escrowd(escrow, options));
    }

    private JarProcess add(JarProcess process) {
        processes.add(process);
        return process;
    }

    private JarProcess server(String example, String... options) throws IOException {
        List<String> all = new ArrayList<>(List.of(example, "--escrow=" + escrow, "--no-create", "--port=" + port));
        all.addAll(List.of(options));
        return add(JarProcess.fromCopy(jar, all.toArray(String[]::new)));
    }

    private JarProcess ready(JarProcess server) {
        port = Integer.parseInt(server.nextWith(READY).replaceAll("\\D*(\\d+).*", "$1"));
        return server;
    }

    /** Writes over the file itself: a process that has it open reads what is there now. */
    private void overwriteWithGarbage() throws IOException {
        byte[] garbage = new byte[(int) Files.size(jar) / 2];
        Arrays.fill(garbage, (byte) 'x');
        Files.write(jar, garbage);
    }

    /** The same classes, each at another place of the file. */
    private void overwriteWithTheNextVersion() throws IOException {
        try (OutputStream out = Files.newOutputStream(jar)) {
            out.write(new byte[100_000]);
            Files.copy(JarProcess.jar(), out);
        }
    }

    private Socket connect() throws IOException {
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
        socket.setSoTimeout(60_000);
        sockets.add(socket);
        assertAnswered(socket);
        return socket;
    }

    private static void assertAnswered(Socket socket) throws IOException {
        socket.getOutputStream()
                .write("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi".getBytes(US_ASCII));
        StringBuilder answer = new StringBuilder();
        while (!answer.toString().endsWith("\r\n\r\nhi")) {
            int next = socket.getInputStream().read();
            assertTrue(next >= 0, () -> "it ended after " + answer);
            answer.append((char) next);
        }
        assertTrue(answer.toString().startsWith("HTTP/1.1 200 "), answer.toString());
    }

    private static void assertEnds(JarProcess server) throws InterruptedException {
        assertEquals(0, server.awaitExit(), () -> server.lines().toString());
        assertTrue(
                server.lines().stream().noneMatch(line -> line.contains("Error")),
                () -> server.lines().toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"--drain=10", "--crash-safe", "--waves=10"})
    void aHandoverFailsAndIsDoneLater(String option) throws Exception {
        JarProcess first = daemon();
        JarProcess server = ready(server("http-server", option));
        Socket idle = connect();
        overwriteWithGarbage();
        first.kill();
        server.terminate();
        server.nextWith("Not handed over");
        assertAnswered(idle);
        Socket fresh = connect();
        overwriteWithTheNextVersion();
        daemon("--force");
        assertEnds(server);

        JarProcess next = server("http-server", option);
        String line = next.nextWith(READY);
        assertTrue(line.contains(": 2 connections adopted"), line);
        assertAnswered(idle);
        assertAnswered(fresh);
    }

    @ParameterizedTest
    @ValueSource(strings = {"--drain=10", "--crash-safe", "--waves=10"})
    void theNextVersionWaitsAlready(String option) throws Exception {
        daemon();
        JarProcess server = ready(server("http-server", option));
        Socket socket = connect();
        for (int i = 0; i < 2; i++) {
            overwriteWithTheNextVersion();
            JarProcess next = server("http-server", option);
            next.nextWith("waiting for the session");
            server.terminate();
            assertEnds(server);
            String line = next.nextWith(READY);
            assertTrue(line.contains(": 1 connections adopted"), line);
            assertAnswered(socket);
            server = next;
        }
    }
}
