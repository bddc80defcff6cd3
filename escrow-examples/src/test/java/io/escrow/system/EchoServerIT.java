package io.escrow.system;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.testing.JarProcess;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(180)
class EchoServerIT {

    private static final int LISTENERS = 0;
    private static final int CONNECTIONS = 1;

    @TempDir
    private Path directory;

    private Path path;
    private JarProcess escrowd;

    @BeforeEach
    void startDaemon() throws Exception {
        path = directory.resolve("s");
        escrowd = JarProcess.escrowd(path);
    }

    @AfterEach
    void endDaemon() throws IOException {
        escrowd.close();
    }

    @Test
    void clientsOutliveTheServer() throws Exception {
        int port;
        try (JarProcess server = server(0)) {
            port = port(server, 0);
        }
        try (JarProcess clients = JarProcess.start("echo-client", "--port=" + port, "--connections=3");
                Socket idle = connect(port)) {
            // The listener outlived its process: it is connected to while nobody accepts.
            for (int restarts = 0; restarts < 3; restarts++) {
                try (JarProcess server = server(port)) {
                    // In the first round, none of them was accepted before.
                    assertEquals(port, port(server, restarts == 0 ? 0 : 4));
                    assertEcho("round " + restarts, idle);
                    String before = clients.nextWith(" records, ");
                    assertNotEquals(count(before), count(awaitProgress(clients, before)));
                }
            }
        }
        assertSlots(1, 4);
    }

    @Test
    void connectionsThatDiedMeanwhileAreDropped() throws Exception {
        int port;
        Socket reset;
        Socket finished;
        try (JarProcess server = server(0)) {
            port = port(server, 0);
            reset = connect(port);
            finished = connect(port);
            assertEcho("one", reset);
            assertEcho("two", finished);
        }
        reset.setSoLinger(true, 0);
        reset.close();
        finished.getOutputStream().write("last words".getBytes(UTF_8));
        finished.shutdownOutput();
        try (JarProcess server = server(port);
                finished) {
            // The one that was reset is not among them.
            port(server, 1);
            assertArrayEquals(
                    "last words".getBytes(UTF_8), finished.getInputStream().readAllBytes());
            server.awaitLines("send: {DEL   1 ", 2);
            server.awaitLines("recv: {REP   0", 2);
        }
        assertSlots(1, 0);
    }

    @Test
    void peerSeesTheEndAndTheSlotIsEmptied() throws Exception {
        try (JarProcess server = server(0);
                Socket socket = connect(port(server, 0))) {
            assertEcho("hello", socket);
            socket.shutdownOutput();
            assertEquals(-1, socket.getInputStream().read());
            server.nextWith("send: {DEL   1   0}");
            server.nextWith("recv: {REP   0");
        }
        assertSlots(1, 0);
    }

    @Test
    void nextServerWaitsForItsTurn() throws Exception {
        try (JarProcess server = server(0)) {
            int port = port(server, 0);
            try (Socket socket = connect(port);
                    JarProcess next = server(port)) {
                assertEcho("first", socket);
                next.nextWith("waiting for the session of process");
                assertEcho("still the first", socket);
                server.kill();
                assertEquals(port, port(next, 1));
                assertEcho("second", socket);
            }
        }
    }

    @Test
    void clientTellsThatTheConnectionIsLost() throws Exception {
        try (JarProcess server = server(0);
                JarProcess client = JarProcess.start("echo-client", "--port=" + port(server, 0))) {
            client.nextWith(" records, ");
            escrowd.kill();
            server.kill();
            assertEquals(1, client.awaitExit());
            String last = client.lines().get(client.lines().size() - 1);
            assertTrue(last.startsWith("echo-client: connection lost: "), last);
        }
    }

    private JarProcess server(int port) throws IOException {
        return JarProcess.start("echo-server", "--port=" + port, path.toString());
    }

    /** Waits until a server serves, and returns its port. */
    private static int port(JarProcess server, int adopted) throws InterruptedException {
        String line = server.nextWith("Serving port ");
        assertTrue(line.endsWith("(connections taken out of the escrow: " + adopted + ")"), line);
        return Integer.parseInt(line.replaceAll("\\D*(\\d+).*", "$1"));
    }

    private static Socket connect(int port) throws IOException {
        return new Socket(InetAddress.getLoopbackAddress(), port);
    }

    private static void assertEcho(String text, Socket socket) throws IOException {
        byte[] bytes = text.getBytes(UTF_8);
        socket.getOutputStream().write(bytes);
        assertArrayEquals(bytes, socket.getInputStream().readNBytes(bytes.length));
    }

    /** Waits for a line of the client that counts more records than one before. */
    private static String awaitProgress(JarProcess client, String before) throws InterruptedException {
        String line;
        do {
            line = client.nextWith(" records, ");
        } while (count(line).equals(count(before)));
        return line;
    }

    private static String count(String progress) {
        return progress.substring(0, progress.indexOf(' '));
    }

    /** Looks into the escrow when no server is connected to it any more. */
    private void assertSlots(int listeners, int connections) throws IOException {
        try (BlockingEscrow escrow =
                EscrowClient.builder().path(path.toString()).connectBlocking(Duration.ofSeconds(30))) {
            assertEquals(listeners, escrow.tag(LISTENERS).used());
            assertEquals(connections, escrow.tag(CONNECTIONS).used());
        }
    }
}
