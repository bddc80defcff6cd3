package io.escrow.daemon;

import static io.escrow.daemon.RawClient.GET;
import static io.escrow.daemon.RawClient.add;
import static io.escrow.daemon.RawClient.join;
import static io.escrow.daemon.RawClient.prelude;
import static io.escrow.daemon.RawClient.request;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowConnectionException;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.escrow.control.SessionView;
import io.escrow.control.StatusView;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.testing.TestFile;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collections;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever the client of a session is doing when an operator ends it: it is told if it listens, and the next is served. */
class EvictTest {

    private static final int TAG = 1;
    private static final int LARGE = 32_768;
    private static final int GETS = 200;

    @TempDir
    Path directory;

    private Path path;
    private EscrowDaemon daemon;

    @BeforeEach
    void start() throws IOException {
        path = directory.resolve("s");
        daemon = EscrowDaemon.start(DaemonOptions.of(path.toString()));
    }

    @AfterEach
    void stop() {
        daemon.close();
    }

    private CompletableFuture<EscrowClient> connect() {
        return EscrowClient.builder()
                .path(path.toString())
                .connectTimeout(Duration.ofSeconds(30))
                .connect();
    }

    private StatusView status() throws IOException {
        return Operator.ask(path, "GET /status").read(StatusView.class);
    }

    private SessionView evict() throws IOException {
        return Operator.ask(path, "DELETE /session").read(SessionView.class);
    }

    /** Queues up behind the session that is on. */
    private CompletableFuture<EscrowClient> queueUp() throws IOException {
        CompletableFuture<EscrowClient> next = connect();
        await().until(() -> status().waiting() == 1);
        return next;
    }

    /** Checks that the next client is served, and finds what was stored; and ends its session. */
    private static void assertServed(CompletableFuture<EscrowClient> next, int slots) {
        EscrowClient client = next.join();
        assertEquals(slots, client.tag(TAG).join().used());
        client.close();
    }

    @Test
    void idleClient() throws IOException {
        EscrowClient client = connect().join();
        client.add(TAG, 0, new byte[1]).join();
        CompletableFuture<EscrowClient> next = queueUp();
        SessionView evicted = evict();
        client.closed().toCompletableFuture().join();

        CompletionException late = assertThrows(CompletionException.class, client.tag(TAG)::join);
        String text = ((EscrowConnectionException) late.getCause()).text();
        assertTrue(
                text.matches(
                        "the connection to escrowd ended: ECANCELED: ended by an operator \\(uid \\d+, gid \\d+, pid "
                                + ProcessHandle.current().pid() + "\\); the request was not sent"),
                text);
        assertEquals(ProcessHandle.current().pid(), evicted.pid());
        assertEquals(1, evicted.requests());
        assertServed(next, 1);
        assertEquals(1, status().counters().evicted());
        assertEquals(0, status().counters().timedOut());
    }

    @Test
    void clientInTheMiddleOfPacket() throws IOException {
        TestFile file = new TestFile(directory, "a");
        try (RawClient client = RawClient.open(path)) {
            client.packet(add(TAG, 0, new byte[1]));
            client.receive();
            client.bytes(prelude(1_000, 2));
            FileDescriptor descriptor = file.open();
            client.descriptor(descriptor);
            descriptor.close();
            CompletableFuture<EscrowClient> next = queueUp();
            evict();

            RawClient.Answer answer = client.receive().only();
            assertEquals(Status.ECANCELED.errno(), answer.errno());
            assertTrue(answer.text().startsWith("ended by an operator ("), answer.text());
            client.awaitEnd();
            assertServed(next, 1);
        }
        file.awaitOpenCount(0);
    }

    /** Its own socket is full of answers, and so it stays. */
    @Test
    void clientThatDoesNotReadItsAnswers() throws IOException {
        try (RawClient client = RawClient.open(path)) {
            client.packet(add(TAG, 0, new byte[LARGE]));
            client.receive();
            byte[] packet = join(prelude(12, 0), request(GET, TAG, 0));
            client.bytes(join(Collections.nCopies(GETS, packet).toArray(byte[][]::new)));
            CompletableFuture<EscrowClient> next = queueUp();
            await().until(this::isStuck);
            evict();

            assertServed(next, 1);
        }
    }

    /** Requests are not read any more, and some were. */
    private boolean isStuck() throws IOException {
        long before = status().session().requests();
        return before > 1 && before <= GETS && before == status().session().requests();
    }

    @Test
    void clientThatHasNotGreeted() throws IOException {
        try (RawClient client = RawClient.connect(path)) {
            await().until(() -> status().session() != null);
            CompletableFuture<EscrowClient> next = queueUp();
            evict();

            assertEquals(Status.ECANCELED.errno(), client.receive().only().errno());
            client.awaitEnd();
            assertServed(next, 0);
        }
        assertEquals(1, status().counters().sessions());
    }

    @Test
    void sessionThatIsOver() throws IOException {
        EscrowClient client = connect().join();
        evict();
        client.closed().toCompletableFuture().join();
        await().until(() -> status().session() == null);

        assertEquals(404, Operator.ask(path, "DELETE /session").status());
        assertEquals(1, status().counters().evicted());
    }
}
