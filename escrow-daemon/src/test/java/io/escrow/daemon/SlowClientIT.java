package io.escrow.daemon;

import static io.escrow.daemon.RawClient.addWithDescriptor;
import static io.escrow.daemon.RawClient.join;
import static io.escrow.daemon.RawClient.prelude;
import static io.escrow.daemon.RawClient.request;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Status;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.daemon.RawClient.Answer;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A client that lives and keeps the others waiting is dropped after a time, and the next one is served. */
class SlowClientIT {

    private static final int TAG = 1;
    private static final String[] SHORT = {"--hello-timeout=1", "--stall-timeout=1", "--write-timeout=1"};
    private static final String SILENT = "ETIMEDOUT: no hello within 1000 ms";
    private static final String STALLED = "ETIMEDOUT: stopped in the middle of a packet for 1000 ms";
    private static final String NOT_READING = "ETIMEDOUT: answers not read for 1000 ms";

    @TempDir
    Path directory;

    @AutoClose
    private TestDaemon daemon;

    @AutoClose
    private TestFiles files;

    private long descriptors;

    @BeforeEach
    void start() throws IOException {
        files = new TestFiles(directory.resolve("files"), 10);
        daemon = TestDaemon.start(directory, SHORT);
        descriptors = daemon.warmUp();
    }

    /** Whatever the slow client has left behind, the daemon has closed it. */
    @AfterEach
    void nothingIsLeft() throws IOException {
        try (BlockingEscrow escrow = daemon.connect()) {
            escrow.deleteAll(escrow.list(TAG).stream().map(slot -> slot.key()).iterator())
                    .orThrow();
        }
        daemon.awaitDescriptors(descriptors);
    }

    /** Checks that the next client is served, finds these slots, and why the one before was dropped, in one line. */
    private void assertNextIsServed(Set<Integer> used, String why) throws IOException {
        assertEquals(used, daemon.used(TAG));
        daemon.awaitLine(line -> line.contains("session ended"), why);
        assertEquals(
                List.of(why),
                daemon.lines().stream()
                        .filter(line -> line.contains("WARN"))
                        .map(line -> line.replaceAll(".* session ended .* status=\"(.*)\" reason=\"(.*)\"", "$1: $2"))
                        .toList());
    }

    private static void assertTold(RawClient client, String why) throws IOException {
        Answer answer = client.receive().only();
        assertEquals(Status.ETIMEDOUT.errno(), answer.errno());
        assertEquals(why, "ETIMEDOUT: " + answer.text());
        client.awaitEnd();
    }

    @Test
    void neverGreets() throws IOException {
        try (RawClient silent = RawClient.connect(daemon.path())) {
            assertNextIsServed(Set.of(), SILENT);
            assertTold(silent, SILENT);
        }
    }

    @Test
    void stopsInTheGreeting() throws IOException {
        byte[] greeting = join(prelude(RawClient.HELLO.length, 0), RawClient.HELLO);
        try (RawClient slow = RawClient.connect(daemon.path())) {
            slow.bytes(Arrays.copyOf(greeting, greeting.length - 1));
            assertNextIsServed(Set.of(), SILENT);
            assertTold(slow, SILENT);
        }
    }

    /** Stops behind so many of the 8 bytes of the prelude, 2 descriptors and some frames. */
    @ParameterizedTest
    @ValueSource(ints = {1, 8, 9, 10, 11, 50})
    void stopsInPacket(int sent) throws IOException {
        byte[] frames =
                join(addWithDescriptor(TAG, 1, TestFiles.payload(1)), addWithDescriptor(TAG, 2, TestFiles.payload(2)));
        try (RawClient slow = daemon.open()) {
            slow.packet(List.of(files.get(0)), addWithDescriptor(TAG, 0, TestFiles.payload(0)));
            assertEquals(0, slow.receive().only().errno());
            slow.bytes(Arrays.copyOf(prelude(frames.length, 2), Math.min(sent, 8)));
            for (int i = 8; i < Math.min(sent, 10); i++) {
                slow.descriptor(files.get(i - 7));
            }
            slow.bytes(Arrays.copyOf(frames, Math.max(0, sent - 10)));
            assertNextIsServed(Set.of(0), STALLED);
            assertEquals(1, daemon.verifyFiles(TAG, files));
            assertTold(slow, STALLED);
        }
    }

    @Test
    void neverReads() throws IOException {
        try (BlockingEscrow escrow = daemon.connect()) {
            escrow.add(TAG, 0, files.get(0), new byte[32 * 1024]);
        }
        try (RawClient slow = daemon.open()) {
            byte[] gets = join(
                    Collections.nCopies(100, request(RawClient.GET, TAG, 0)).toArray(byte[][]::new));
            slow.packet(gets);
            assertNextIsServed(Set.of(0), NOT_READING);
        }
    }

    @Test
    void stoppedProcessInPacket() throws IOException {
        try (TestProcess client = TestClient.start("raw", daemon.path(), files, TAG, 2, 3, 2)) {
            client.awaitLine("greeted");
            client.say("go");
            client.awaitLine("sent");
            client.pause();
            assertNextIsServed(Set.of(0, 1, 2, 3, 4, 5), STALLED);
            assertTrue(client.isAlive());
            assertEquals(6, daemon.verifyFiles(TAG, files));
        }
    }

    @Test
    void stoppedProcessThatReads() throws IOException {
        int slots = 300;
        try (BlockingEscrow escrow = daemon.connect()) {
            for (int i = 0; i < slots; i++) {
                escrow.add(TAG, i, new byte[32 * 1024]);
            }
        }
        try (TestProcess client = TestClient.start("get", daemon.path(), files, TAG, slots, 0)) {
            client.awaitLine("at 0");
            client.pause();
            assertNextIsServed(IntStream.range(0, slots).boxed().collect(Collectors.toSet()), NOT_READING);
            assertTrue(client.isAlive());
        }
    }

    /** The time that passes is told by another daemon, which drops one silent client after the other. */
    @Test
    void idleStays() throws Exception {
        Path elsewhere = directory.resolve("clock");
        assertTrue(elsewhere.toFile().mkdir());
        CompletableFuture<EscrowClient> next;
        try (TestDaemon clock = TestDaemon.start(elsewhere, SHORT);
                BlockingEscrow idle = daemon.connect()) {
            idle.add(TAG, 0, files.get(0), TestFiles.payload(0));
            next = daemon.client().connect();
            for (int seconds = 0; seconds < 3; seconds++) {
                try (RawClient silent = RawClient.connect(clock.path())) {
                    assertTold(silent, SILENT);
                }
            }
            idle.add(TAG, 1, files.get(1), TestFiles.payload(1));
        }
        next.get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS).close();
        assertEquals(2, daemon.verifyFiles(TAG, files));
        assertTrue(
                daemon.lines().stream().noneMatch(line -> line.contains("WARN")),
                () -> daemon.lines().toString());
    }
}
