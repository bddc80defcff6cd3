package io.escrow.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.SocketPath;
import io.escrow.testing.JarProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Upgrades the daemon again and again below a crash-safe server, which must not notice. */
@Timeout(600)
class DaemonUpgradeIT extends RecordServers {

    private static final int UPGRADES = Math.max(2, ROUNDS / 4);

    @AfterEach
    void endLastDaemon() throws IOException {
        ProcessHandle.of(serving()).ifPresent(ProcessHandle::destroyForcibly);
    }

    /** Returns the process number of the daemon that serves. */
    private long serving() throws IOException {
        return Long.parseLong(Files.readAllLines(SocketPath.lockFile(socket())).get(0));
    }

    private void upgrade() throws IOException {
        long before = serving();
        List<String> printed = JarProcess.escrowctl("upgrade", socket().toString());
        assertNotEquals(before, serving(), printed::toString);
    }

    /** Checks that the daemon has had so many sessions, and the server has not lost one. */
    private void assertSessions(int sessions, JarProcess server) throws IOException {
        List<String> status = JarProcess.escrowctl("status", socket().toString());
        assertTrue(status.stream().anyMatch(line -> line.startsWith("sessions: " + sessions + " ")), status::toString);
        assertEquals(
                List.of(),
                server.lines().stream().filter(line -> line.contains("session")).toList());
    }

    @Test
    void neitherServerNorClientsNotice() throws Exception {
        JarProcess server = start(true);
        connect(List.of(RecordPeer.Kind.values()));
        for (int i = 0; i < UPGRADES; i++) {
            goOn();
            upgrade();
        }
        goOn();
        assertSessions(1, server);
        await(RecordPeer::finish);
        server.terminate();
        assertOnlyTheListenersAreLeft(start(true));
    }

    @Test
    void everythingIsThereWhenTheServerIsKilledThen() throws Exception {
        JarProcess server = start(true);
        connect(List.of(RecordPeer.Kind.ASKING));
        await(RecordPeer::served);
        for (int i = 0; i < UPGRADES; i++) {
            goOn();
            upgrade();
            goOn();
            server.kill();
            server = start(true);
            peers.forEach(RecordPeer::repeat);
        }
        assertSessions(1 + UPGRADES, server);
        await(RecordPeer::finish);
        server.terminate();
        assertOnlyTheListenersAreLeft(start(true));
    }

    @Test
    void theNextServerWaitsMeanwhile() throws Exception {
        JarProcess server = start(true);
        connect(List.of(RecordPeer.Kind.values()));
        for (int i = 0; i < UPGRADES; i++) {
            goOn();
            JarProcess next = launch(true);
            next.awaitLine(RecordServer.WAITING);
            upgrade();
            server.terminate();
            next.awaitLine(RecordServer.SERVING);
            server = next;
        }
        await(RecordPeer::finish);
        assertSessions(1 + UPGRADES, server);
        server.terminate();
        assertOnlyTheListenersAreLeft(start(true));
    }
}
