package io.escrow.examples.grpc;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.Certificates;
import io.escrow.testing.Successors;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(300)
class GrpcServerIT {

    private static final int HANDOVERS = 4;
    private static final int ANSWERS = 500;

    @TempDir
    private Path directory;

    @ParameterizedTest
    @ValueSource(strings = {"--crash-safe", "--waves=20"})
    void noCallFails(String option) throws Exception {
        assertNoCallFails(false, option);
    }

    @Test
    void noCallOverTlsFails() throws Exception {
        Path cert = directory.resolve("cert.pem");
        Path key = directory.resolve("key.pem");
        Certificates.writePem("server", cert, key);
        assertNoCallFails(true, "--cert=" + cert, "--key=" + key);
    }

    private void assertNoCallFails(boolean tls, String... options) throws Exception {
        try (Successors server = new Successors(directory, options);
                EchoClient client = new EchoClient(server.port(), tls)) {
            client.start();
            for (int i = 0; i < HANDOVERS; i++) {
                awaitAnswers(client, i + 1);
                // Clients give a handshake of TLS 10 seconds: a process that is started first may need them.
                String line = tls || i % 2 == 0 ? server.waitThenEnd() : server.endThenStart();
                assertTrue(line.contains(": 1 listeners adopted"), line);
            }
            awaitAnswers(client, HANDOVERS + 1);
            client.finish();
            assertEquals(List.of(), client.failures());
        }
    }

    @Test
    void afterAKillOnlyTheCallsOfTheDeadProcessFail() throws Exception {
        try (Successors server = new Successors(directory, "--crash-safe");
                EchoClient client = new EchoClient(server.port(), false)) {
            client.start();
            awaitAnswers(client, 1);
            String line = server.killThenStart();
            assertTrue(line.contains(": 1 listeners adopted"), line);
            awaitAnswers(client, 2);
            List<String> failures = client.failures();
            assertTrue(failures.size() <= client.callsAtATime(), failures.size() + " failures: " + failures);
            for (String failure : failures) {
                assertTrue(failure.contains("UNAVAILABLE") && !failure.contains("PROTOCOL_ERROR"), failure);
            }
            server.waitThenEnd();
            awaitAnswers(client, 3);
            assertEquals(failures, client.failures());
        }
    }

    /** Waits until a number of processes have answered, and all clients are served. */
    private static void awaitAnswers(EchoClient client, int processes) {
        await().atMost(60, TimeUnit.SECONDS).until(() -> client.processes().size() >= processes);
        long before = client.answers();
        await().atMost(60, TimeUnit.SECONDS).until(() -> client.answers() >= before + ANSWERS);
    }
}
