package io.escrow.daemon;

import static io.escrow.daemon.RawClient.addWithDescriptor;
import static io.escrow.daemon.RawClient.join;
import static io.escrow.daemon.RawClient.prelude;
import static io.escrow.daemon.RawClient.request;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.SlotInfo;
import io.escrow.client.BlockingEscrow;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A client dies, at any moment: what it had asked for in whole packets is done, nothing else, and nothing leaks. */
class DyingClientIT {

    private static final int TAG = 1;
    private static final int FILES = 1500;
    /** The daemon's limits of a packet. */
    private static final int PACKET_DESCRIPTORS = 128;

    private static final int PACKET_FRAMES = 1024;
    private static final int PACKETS_IN_FLIGHT = 2;

    @TempDir
    static Path directory;

    @AutoClose
    private static TestDaemon daemon;

    @AutoClose
    private static TestFiles files;

    private static long descriptors;

    @BeforeAll
    static void start() throws IOException {
        files = new TestFiles(directory.resolve("files"), FILES);
        daemon = TestDaemon.start(directory);
        descriptors = daemon.warmUp();
    }

    /** The next client is served, and after it has emptied every slot, no descriptor is left. */
    @AfterEach
    void empty() throws IOException {
        try (BlockingEscrow escrow = daemon.connect()) {
            escrow.deleteAll(escrow.list(TAG).stream().map(SlotInfo::key).iterator())
                    .orThrow();
        }
        daemon.awaitDescriptors(descriptors);
    }

    private static void assertSlots(Set<Integer> expected) throws IOException {
        assertEquals(expected, daemon.used(TAG));
        assertEquals(expected.size(), daemon.verifyFiles(TAG, files));
        daemon.awaitDescriptors(descriptors + expected.size());
    }

    private static Set<Integer> range(int from, int to) {
        return IntStream.range(from, to).boxed().collect(Collectors.toSet());
    }

    /** A packet of three descriptors and four frames, cut at every byte and between all of its messages. */
    @Test
    void cutAtAnyByte() throws IOException {
        byte[] frames = join(
                addWithDescriptor(TAG, 1, TestFiles.payload(1)),
                addWithDescriptor(TAG, 2, TestFiles.payload(2)),
                request(RawClient.DEL, TAG, 0),
                addWithDescriptor(TAG, 3, TestFiles.payload(3)));
        byte[] prelude = prelude(frames.length, 3);
        int whole = prelude.length + 3 + frames.length;
        for (int cut = 0; cut <= whole; cut++) {
            try (BlockingEscrow escrow = daemon.connect()) {
                escrow.add(TAG, 0, files.get(0), TestFiles.payload(0));
            }
            try (RawClient client = daemon.open()) {
                sendUpTo(cut, client, prelude, frames);
            }
            assertEquals(cut < whole ? Set.of(0) : Set.of(1, 2, 3), daemon.used(TAG), "cut at " + cut);
        }
        assertSlots(Set.of(1, 2, 3));
    }

    private static void sendUpTo(int cut, RawClient client, byte[] prelude, byte[] frames) throws IOException {
        client.bytes(Arrays.copyOf(prelude, Math.min(cut, prelude.length)));
        for (int i = 1; i <= 3 && cut >= prelude.length + i; i++) {
            client.descriptor(files.get(i));
        }
        client.bytes(Arrays.copyOf(frames, Math.max(0, cut - prelude.length - 3)));
    }

    @Test
    void cutInTheGreeting() throws IOException {
        byte[] greeting = join(prelude(RawClient.HELLO.length, 0), RawClient.HELLO);
        for (int cut = 0; cut <= greeting.length; cut++) {
            try (RawClient client = RawClient.connect(daemon.path())) {
                client.bytes(Arrays.copyOf(greeting, cut));
            }
        }
        assertSlots(Set.of());
    }

    /** Everything a client asks for, its greeting included, is done although it never waits for an answer. */
    @Test
    void neverWaits() throws IOException {
        try (RawClient client = RawClient.connect(daemon.path())) {
            client.packet(RawClient.HELLO);
            client.packet(List.of(files.get(0)), addWithDescriptor(TAG, 0, TestFiles.payload(0)));
        }
        assertSlots(Set.of(0));
    }

    /** The daemon sees the death of its client before it has read the first descriptor. */
    @ParameterizedTest
    @CsvSource({"1, 51, 0", "3, 51, 20", "10, 17, 5", "60, 1, 0"})
    void descriptorsStillInTheSocket(int packets, int perPacket, int incomplete) throws Exception {
        try (TestProcess client = TestClient.start("raw", daemon.path(), files, TAG, packets, perPacket, incomplete)) {
            client.awaitLine("greeted");
            daemon.pause();
            try {
                client.say("go");
                client.awaitLine("sent");
                client.kill();
            } finally {
                daemon.resume();
            }
        }
        assertSlots(range(0, packets * perPacket));
    }

    /** The daemon waits until its answers are read, when the client dies: what had arrived whole is done. */
    @Test
    void neverReadsAnAnswer() throws IOException {
        int slots = 0;
        try (RawClient client = daemon.open()) {
            for (boolean sent = true; sent; ) {
                assertTrue(slots < 100 * PACKET_FRAMES, "the daemon reads on although nobody reads its answers");
                byte[][] frames = new byte[PACKET_FRAMES][];
                for (int i = 0; i < frames.length; i++) {
                    frames[i] = RawClient.add(TAG, slots + i, TestFiles.payload(slots + i));
                }
                byte[] joined = join(frames);
                sent = client.offer(join(prelude(joined.length, 0), joined), 1);
                slots += sent ? frames.length : 0;
            }
        }
        assertEquals(range(0, slots), daemon.used(TAG));
    }

    /** The same with descriptors, as many as the socket takes. */
    @Test
    void neverReadsAnAnswerAndLeavesDescriptors() throws IOException {
        int slots = 0;
        List<byte[]> tags = Collections.nCopies(PACKET_FRAMES - 2, request(RawClient.TAG, TAG, 0));
        try (RawClient client = daemon.open()) {
            for (boolean sent = true; sent; ) {
                assertTrue(slots < FILES, "the daemon reads on although nobody reads its answers");
                byte[] frames = join(
                        addWithDescriptor(TAG, slots, TestFiles.payload(slots)),
                        join(tags.toArray(byte[][]::new)),
                        addWithDescriptor(TAG, slots + 1, TestFiles.payload(slots + 1)));
                sent = client.offer(prelude(frames.length, 2), 1)
                        && client.offer(files.get(slots), 1)
                        && client.offer(files.get(slots + 1), 1)
                        && client.offer(frames, 1);
                slots += sent ? 2 : 0;
            }
        }
        assertSlots(range(0, slots));
    }

    /** Killed while the bulk call waits for the slot with an index: whole packets were sent, or still wait. */
    @ParameterizedTest
    @CsvSource({"0", "1", "127", "128", "129", "256", "300", "1000", "1499"})
    void killedInBulkAdd(int at) throws Exception {
        kill("add", at);
        Set<Integer> used = daemon.used(TAG);
        assertPrefix(used.size(), at, PACKET_DESCRIPTORS);
        assertSlots(range(0, used.size()));
    }

    @ParameterizedTest
    @CsvSource({"0", "1", "128", "300", "1499"})
    void killedInBulkGet(int at) throws Exception {
        fill();
        kill("get", at);
        assertSlots(range(0, FILES));
    }

    @ParameterizedTest
    @CsvSource({"0", "1", "1023", "1024", "1025", "1499"})
    void killedInBulkDelete(int at) throws Exception {
        fill();
        kill("delete", at);
        Set<Integer> used = daemon.used(TAG);
        assertPrefix(FILES - used.size(), at, PACKET_FRAMES);
        assertSlots(range(FILES - used.size(), FILES));
    }

    private static void fill() throws IOException {
        try (BlockingEscrow escrow = daemon.connect()) {
            assertEquals(
                    FILES,
                    escrow.addAll(files.deposits(TAG, 0, FILES)).orThrow().succeeded());
        }
    }

    private static void kill(String operation, int at) throws Exception {
        try (TestProcess client = TestClient.start(operation, daemon.path(), files, TAG, FILES, at)) {
            client.awaitLine("at " + at);
            client.kill();
        }
    }

    /** Everything before the packets in flight was acknowledged; of those, each was carried out whole or not at all. */
    private static void assertPrefix(int done, int asked, int packet) {
        assertEquals(0, done % packet, () -> done + " slots are no whole number of packets");
        assertTrue(done <= asked, () -> done + " slots, but only " + asked + " were given");
        assertTrue(done >= asked - asked % packet - PACKETS_IN_FLIGHT * packet, () -> done + " of " + asked + " slots");
    }

    /** Killed at no special moment, again and again. */
    @Test
    void killedAnywhere() throws Exception {
        Random random = new Random(2);
        for (int round = 0; round < 5; round++) {
            try (TestProcess client = TestClient.start("churn", daemon.path(), files, TAG, 400)) {
                client.awaitLine("round " + random.nextInt(4));
                client.kill();
            }
            Set<Integer> used = daemon.used(TAG);
            assertSlots(used);
        }
    }
}
