package io.escrow.system;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.testing.JarProcess;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Stops escrowd before it can answer that connections are the next server's, which go on without that answer, and kills one of the
 * servers then: each connection goes on in one process, or is closed, as "Whose a slot is" in RECORDS.md has it.
 */
class UnansweredIT {

    private static final int MOVING = 7;
    private static final int TIMEOUT_MILLIS = 60_000;
    private static final long CLOSED = -1;

    @TempDir
    private Path directory;

    private final List<Client> moving = new ArrayList<>();
    private final List<JarProcess> servers = new ArrayList<>();
    private JarProcess daemon;

    /** Does not come to rest, so that the handover is not done. */
    private Client busy;

    private static final class Client implements AutoCloseable {
        private final Socket socket;
        private final BufferedReader in;

        Client(int port) throws IOException {
            socket = new Socket(InetAddress.getLoopbackAddress(), port);
            socket.setSoTimeout(TIMEOUT_MILLIS);
            in = new BufferedReader(new InputStreamReader(socket.getInputStream(), US_ASCII));
        }

        /** Returns the number of the process that answers. */
        long ask(int what) throws IOException {
            try {
                socket.getOutputStream().write(what);
                String line = in.readLine();
                return line == null ? CLOSED : Long.parseLong(line);
            } catch (SocketException e) {
                return CLOSED;
            }
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }

    @BeforeEach
    void startDaemon() throws IOException {
        daemon = JarProcess.escrowd(directory.resolve("s"));
    }

    @AfterEach
    void endAll() throws IOException {
        for (Client client : moving) {
            client.close();
        }
        if (busy != null) {
            busy.close();
        }
        servers.forEach(JarProcess::kill);
        daemon.kill();
        for (JarProcess server : servers) {
            server.close();
        }
        daemon.close();
    }

    private JarProcess launch(int port, boolean crashSafe, Path... awaited) throws IOException {
        List<String> arguments = new ArrayList<>(
                List.of(directory.resolve("s").toString(), String.valueOf(port), String.valueOf(crashSafe)));
        for (Path file : awaited) {
            arguments.add(file.toString());
        }
        JarProcess server = JarProcess.main(UnansweredServer.class, arguments.toArray(String[]::new));
        servers.add(server);
        return server;
    }

    /** Returns the port, when a wave has gone on in the second server, and escrowd has answered nothing of it. */
    private int handOverUntilUnanswered(boolean crashSafe) throws IOException {
        JarProcess server = launch(0, crashSafe);
        int port = Integer.parseInt(server.awaitLine(UnansweredServer.SERVING).split(" ", 3)[1]);
        for (int i = 0; i < MOVING; i++) {
            moving.add(new Client(port));
        }
        busy = new Client(port);
        assertServedBy(server, moving);
        assertEquals(server.pid(), busy.ask(UnansweredServer.BUSY));
        Path paused = directory.resolve("paused");
        JarProcess next = launch(port, crashSafe, paused);
        next.awaitLine(UnansweredServer.WAITING);
        server.terminate();
        next.awaitLine(UnansweredServer.STOPPED);
        daemon.pause();
        Files.createFile(paused);
        assertServedBy(next, moving);
        return port;
    }

    private static void assertServedBy(JarProcess server, List<Client> clients) throws IOException {
        for (Client client : clients) {
            assertEquals(server.pid(), client.ask('a'), server.lines()::toString);
        }
    }

    /** What the next server had made its own dies with it, unless that is crash-safe; the rest was never its own. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theNextServerIsKilled(boolean crashSafe) throws Exception {
        int port = handOverUntilUnanswered(crashSafe);
        JarProcess third = launch(port, crashSafe);
        servers.get(1).kill();
        daemon.resume();
        assertEquals(servers.get(0).pid(), busy.ask(UnansweredServer.DONE));

        String report = third.awaitLine(UnansweredServer.SERVING);
        if (crashSafe) {
            assertServedBy(third, moving);
        } else {
            for (Client client : moving) {
                assertEquals(CLOSED, client.ask('a'), report);
            }
        }
        assertServedBy(third, List.of(busy));
        assertNothingIsLeft(third);
    }

    /** The next server goes on with what it has, and adopts the rest as after a crash. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theOldServerIsKilled(boolean crashSafe) throws Exception {
        handOverUntilUnanswered(crashSafe);
        JarProcess next = servers.get(1);
        servers.get(0).kill();
        assertServedBy(next, moving);
        daemon.resume();

        next.awaitLine(UnansweredServer.SERVING);
        assertServedBy(next, moving);
        long who = busy.ask('a');
        assertTrue(who == CLOSED || who == next.pid(), () -> who + ": " + next.lines());
        assertNothingIsLeft(next);
    }

    /** Ends the clients and then the server: nothing but its listener is left in escrowd. */
    private void assertNothingIsLeft(JarProcess last) throws Exception {
        for (Client client : moving) {
            client.close();
        }
        busy.close();
        last.terminate();
        last.awaitExit();
        try (BlockingEscrow escrow = EscrowClient.builder()
                .path(directory.resolve("s").toString())
                .connectBlocking(Duration.ofSeconds(30))) {
            assertEquals(1, escrow.tag(0).used());
            assertEquals(0, escrow.tag(1).used());
            assertEquals(0, escrow.tag(2).used());
        }
    }
}
