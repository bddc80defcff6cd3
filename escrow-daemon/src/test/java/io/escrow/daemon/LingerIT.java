package io.escrow.daemon;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.client.EscrowClient;
import io.escrow.testing.TestConnection;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Closing a connection that lingers waits for its peer; nobody else does. */
class LingerIT {

    /** Far longer than the test waits for anything. */
    private static final int LINGER_SECONDS = 10 * TestProcess.PATIENCE_SECONDS;

    private static final int TAG = 1;
    private static final byte[] NONE = {};

    @TempDir
    static Path directory;

    @AutoClose
    private static TestDaemon daemon;

    @BeforeAll
    static void start() throws IOException {
        daemon = TestDaemon.start(directory);
    }

    /** Stores connections with unsent bytes, of which the daemon has the only descriptor then. */
    private static List<TestConnection> store(EscrowClient escrow, int count) throws Exception {
        List<TestConnection> connections = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            TestConnection connection = TestConnection.tcp();
            connections.add(connection);
            connection.server().setSoLinger(LINGER_SECONDS);
            connection.fill();
            get(escrow.add(TAG, i, connection.server(), NONE));
            connection.server().close();
        }
        return connections;
    }

    private static <T> T get(CompletableFuture<T> future) throws Exception {
        return future.get(TestProcess.PATIENCE_SECONDS, SECONDS);
    }

    @Test
    void requestsDoNotWaitForPeers() throws Exception {
        List<TestConnection> connections = new ArrayList<>();
        try (EscrowClient escrow = get(daemon.client().connect());
                TestConnection prompt = TestConnection.tcp()) {
            connections.addAll(store(escrow, 3));
            get(escrow.delete(TAG, 0));
            get(escrow.add(TAG, 1, NONE));
            assertEquals(2, get(escrow.tag(TAG)).used());
            // Those that linger do not delay the end of one that does not.
            get(escrow.add(TAG, 3, prompt.server(), NONE));
            prompt.server().close();
            get(escrow.delete(TAG, 3));
            assertEquals(0, prompt.peerReadsToTheEnd().length);
            get(escrow.delete(TAG, 2));
            assertEquals(1, get(escrow.tag(TAG)).used());
        } finally {
            for (TestConnection connection : connections) {
                connection.close();
            }
        }
    }
}
