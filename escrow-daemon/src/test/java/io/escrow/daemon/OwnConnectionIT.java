package io.escrow.daemon;

import static io.escrow.daemon.RawClient.TAG;
import static io.escrow.daemon.RawClient.addWithDescriptor;
import static io.escrow.daemon.RawClient.request;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Status;
import io.escrow.client.BlockingEscrow;
import io.escrow.testing.TestConnection;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A daemon does not take its clients' ends of the connections to itself, or their sessions would never end. */
class OwnConnectionIT {

    private static final byte[] NONE = {};

    @TempDir
    static Path directory;

    @AutoClose
    private static TestDaemon daemon;

    @BeforeAll
    static void start() throws IOException {
        daemon = TestDaemon.start(directory);
    }

    private static void assertRefused(RawClient client, FileDescriptor descriptor) throws IOException {
        client.packet(List.of(descriptor), addWithDescriptor(0, 0, NONE));
        RawClient.Answer answer = client.receive().only();
        assertEquals(Status.EINVAL.errno(), answer.errno());
        assertTrue(
                answer.text().startsWith("the descriptor for slot 0/0 is a connection to this escrowd"), answer::text);
    }

    @Test
    void ofTheSession() throws IOException {
        try (RawClient client = daemon.open()) {
            assertRefused(client, client.ownEnd());
        }
        try (BlockingEscrow next = daemon.connect()) {
            assertEquals(0, next.tag(0).used());
        }
    }

    @Test
    void ofClientInTheQueue() throws IOException {
        try (RawClient client = daemon.open();
                RawClient queued = RawClient.connect(daemon.path())) {
            assertRefused(client, queued.ownEnd());
        }
        try (BlockingEscrow next = daemon.connect()) {
            assertEquals(0, next.tag(0).used());
        }
    }

    /** Connections to others are taken, whatever their kind. */
    @Test
    void ofOthersIsTaken() throws IOException {
        try (RawClient client = daemon.open();
                TestConnection unix = TestConnection.unix(directory.resolve("other"));
                TestConnection tcp = TestConnection.tcp()) {
            client.packet(
                    List.of(unix.server(), tcp.server()), addWithDescriptor(1, 0, NONE), addWithDescriptor(1, 1, NONE));
            assertEquals(
                    List.of(0, 0),
                    client.receive().answers().stream()
                            .map(RawClient.Answer::errno)
                            .toList());
            assertEquals(2, client.ask(request(TAG, 1, 0)).only().body().getInt(0));
            unix.server().close();
            tcp.server().close();
        }
    }
}
