package io.escrow.daemon;

import static io.escrow.daemon.RawClient.GET;
import static io.escrow.daemon.RawClient.TAG;
import static io.escrow.daemon.RawClient.addWithDescriptor;
import static io.escrow.daemon.RawClient.join;
import static io.escrow.daemon.RawClient.prelude;
import static io.escrow.daemon.RawClient.request;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.SlotInfo;
import io.escrow.Status;
import io.escrow.client.BlockingEscrow;
import io.escrow.daemon.RawClient.Answer;
import io.escrow.testing.TestProcess;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Clients that mean no good: the daemon, which has little memory here, holds what it should and serves the next one. */
class AbuseIT {

    private static final int USED_TAG = 1;
    private static final int FILES = 20;
    private static final int PACKET_FRAMES = 1024;
    private static final int PACKET_DESCRIPTORS = 128;
    /** The most descriptors that the kernel takes in one message (SCM_MAX_FD). */
    private static final int MESSAGE_DESCRIPTORS = 253;

    /**
     * Netty sends one descriptor with one meaningless byte. This sends whatever its arguments say, in order: {@code
     * bytes:HEX}; {@code each:HEX}, each byte in a message with a descriptor; {@code many:N}, a byte with N descriptors;
     * {@code receive}, which prints the frames of a packet.
     */
    private static final String PYTHON = """
            import os, socket, sys
            s = socket.socket(socket.AF_UNIX)
            s.connect(sys.argv[1])
            f = os.open(sys.argv[2], os.O_RDONLY)
            for what, _, value in (a.partition(":") for a in sys.argv[3:]):
                if what == "bytes":
                    s.sendall(bytes.fromhex(value))
                elif what == "each":
                    for b in bytes.fromhex(value):
                        socket.send_fds(s, [bytes([b])], [f])
                elif what == "many":
                    socket.send_fds(s, [b"x"], [f] * int(value))
                else:
                    length = int.from_bytes(s.recv(8, socket.MSG_WAITALL)[:4], "big")
                    print(s.recv(length, socket.MSG_WAITALL).hex())
            """;

    @TempDir
    static Path directory;

    @AutoClose
    private static TestFiles files;

    @AutoClose
    private static TestDaemon daemon;

    private static long descriptors;

    @BeforeAll
    static void start() throws IOException {
        files = new TestFiles(directory.resolve("files"), FILES);
        Path path = directory.resolve("s");
        List<String> command = TestDaemon.command(path.toString());
        command.addAll(1, List.of("-Xmx64m", "-XX:+ExitOnOutOfMemoryError"));
        daemon = TestDaemon.start(path, new ProcessBuilder(command));
        descriptors = daemon.warmUp();
    }

    @AfterEach
    void empty() throws IOException {
        try (BlockingEscrow escrow = daemon.connect()) {
            escrow.deleteAll(escrow.list(USED_TAG).stream().map(SlotInfo::key).iterator())
                    .orThrow();
        }
        daemon.awaitDescriptors(descriptors);
    }

    private static void assertHeld(int slots) throws IOException {
        assertEquals(slots, daemon.verifyFiles(USED_TAG, files));
        daemon.awaitDescriptors(descriptors + slots);
    }

    /** Many times as many packets in flight as are allowed, with as many requests as fit. */
    @Test
    void floodsWithRequests() throws Exception {
        int packets = 300;
        byte[] frames = repeat(request(TAG, USED_TAG, 0), PACKET_FRAMES);
        byte[] packet = join(prelude(frames.length, 0), frames);
        try (RawClient client = daemon.open()) {
            CompletableFuture<Void> flood = CompletableFuture.runAsync(() -> {
                for (int i = 0; i < packets; i++) {
                    unchecked(() -> client.bytes(packet));
                }
            });
            for (int answers = 0; answers < packets * PACKET_FRAMES; ) {
                answers += client.receive().answers().size();
            }
            flood.get(TestProcess.PATIENCE_SECONDS, SECONDS);
        }
    }

    /** Short questions with long answers, none of which is read. */
    @Test
    void asksForMoreThanItReads() throws IOException {
        byte[] payload = new byte[32 * 1024];
        byte[] frames = repeat(request(GET, USED_TAG, 0), PACKET_DESCRIPTORS);
        byte[] packet = join(prelude(frames.length, 0), frames);
        try (RawClient client = daemon.open()) {
            client.packet(List.of(files.get(0)), addWithDescriptor(USED_TAG, 0, payload));
            assertEquals(0, client.receive().only().errno());
            int packets = 0;
            while (client.offer(packet, 1)) {
                assertTrue(++packets < 1000, "the daemon reads on although nobody reads its answers");
            }
        }
        assertEquals(Set.of(0), daemon.used(USED_TAG));
        daemon.awaitDescriptors(descriptors + 1);
    }

    /** Descriptors for one slot again and again, as fast as they are taken. */
    @Test
    void replacesWithoutEnd() throws Exception {
        int packets = 200;
        List<byte[]> frames = new ArrayList<>();
        List<FileDescriptor> brought = new ArrayList<>();
        for (int i = 0; i < PACKET_DESCRIPTORS; i++) {
            frames.add(addWithDescriptor(USED_TAG, 0, TestFiles.payload(0)));
            brought.add(files.get(0));
        }
        try (RawClient client = daemon.open()) {
            CompletableFuture<Void> flood = CompletableFuture.runAsync(() -> {
                for (int i = 0; i < packets; i++) {
                    unchecked(() -> client.packet(brought, frames.toArray(byte[][]::new)));
                }
            });
            for (int answers = 0; answers < packets * brought.size(); ) {
                for (Answer answer : client.receive().answers()) {
                    assertEquals(0, answer.errno(), answer::text);
                    answers++;
                }
            }
            flood.get(TestProcess.PATIENCE_SECONDS, SECONDS);
        }
        assertHeld(1);
    }

    /** Each asks for something and brings descriptors, in whole packets and in the beginning of one, and is gone. */
    @Test
    void queueAndDie() throws IOException {
        try (RawClient holder = daemon.open()) {
            for (int i = 0; i < FILES; i++) {
                try (RawClient dead = RawClient.connect(daemon.path())) {
                    dead.packet(RawClient.HELLO);
                    dead.packet(List.of(files.get(i)), addWithDescriptor(USED_TAG, i, TestFiles.payload(i)));
                    dead.bytes(prelude(100, 20));
                    for (FileDescriptor descriptor : Collections.nCopies(i, files.get(i))) {
                        dead.descriptor(descriptor);
                    }
                }
            }
            assertEquals(1, holder.ask(request(TAG, USED_TAG, 0)).answers().size());
        }
        assertHeld(FILES);
    }

    /** Descriptors where only bytes are due are not even received; the one that is due is. */
    @Test
    void sendsDescriptorWithEveryByte() throws IOException {
        byte[] add = addWithDescriptor(USED_TAG, 0, TestFiles.payload(0));
        List<String> answers = python(
                "each:" + hex(prelude(RawClient.HELLO.length, 0), RawClient.HELLO),
                "receive",
                "each:" + hex(prelude(add.length, 1)),
                "many:1",
                "each:" + hex(add),
                "receive");
        assertEquals(2, answers.size(), answers::toString);
        assertEquals(Status.OK, statusOf(answers.get(1)));
        assertHeld(1);
    }

    /** Of a message with several descriptors none is taken; the request fails, and the session goes on. */
    @ParameterizedTest
    @ValueSource(ints = {2, 3, MESSAGE_DESCRIPTORS})
    void sendsManyDescriptorsInOneMessage(int many) throws IOException {
        byte[] add = addWithDescriptor(USED_TAG, 0, TestFiles.payload(0));
        List<String> answers = python(
                "bytes:" + hex(prelude(RawClient.HELLO.length, 0), RawClient.HELLO),
                "receive",
                "bytes:" + hex(prelude(add.length, 1)),
                "many:" + many,
                "bytes:" + hex(add),
                "receive",
                "bytes:" + hex(prelude(add.length, 1)),
                "many:1",
                "bytes:" + hex(add),
                "receive");
        assertEquals(3, answers.size(), answers::toString);
        assertEquals(Status.EMFILE, statusOf(answers.get(1)));
        assertEquals(Status.OK, statusOf(answers.get(2)));
        assertHeld(1);
    }

    /** Many times as many descriptors as may be in a packet, in place of the greeting. */
    @Test
    void sendsOnlyDescriptors() throws IOException {
        String[] many = Collections.nCopies(100, "many:" + MESSAGE_DESCRIPTORS).toArray(String[]::new);
        try (TestProcess client = startPython(many)) {
            // Whether it can send them all depends on when the daemon ends the session.
            client.awaitExit();
        }
        assertHeld(0);
    }

    private static List<String> python(String... steps) throws IOException {
        try (TestProcess client = startPython(steps)) {
            assertEquals(0, client.awaitExit(), () -> client.lines().toString());
            return client.lines();
        }
    }

    private static TestProcess startPython(String... steps) throws IOException {
        boolean found = Stream.of(System.getenv("PATH").split(":", -1))
                .anyMatch(bin -> Files.isExecutable(Path.of(bin, "python3")));
        assumeTrue(found, "there is no python3");
        List<String> command =
                new ArrayList<>(List.of("python3", "-c", PYTHON, daemon.path().toString()));
        command.add(files.directory().resolve("f0").toString());
        command.addAll(List.of(steps));
        return new TestProcess(new ProcessBuilder(command));
    }

    private static Status statusOf(String reply) {
        return Status.ofWire(-HexFormat.fromHexDigits(reply, 24, 32));
    }

    private static String hex(byte[]... parts) {
        return HexFormat.of().formatHex(join(parts));
    }

    private static byte[] repeat(byte[] frame, int times) {
        return join(Collections.nCopies(times, frame).toArray(byte[][]::new));
    }

    @FunctionalInterface
    private interface Sending {
        void run() throws IOException;
    }

    private static void unchecked(Sending sending) {
        try {
            sending.run();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
