package io.escrow.daemon;

import static io.escrow.daemon.RawClient.ADD;
import static io.escrow.daemon.RawClient.DEL;
import static io.escrow.daemon.RawClient.DESCRIPTOR;
import static io.escrow.daemon.RawClient.GET;
import static io.escrow.daemon.RawClient.HEL;
import static io.escrow.daemon.RawClient.INF;
import static io.escrow.daemon.RawClient.LST;
import static io.escrow.daemon.RawClient.MAGIC;
import static io.escrow.daemon.RawClient.REP;
import static io.escrow.daemon.RawClient.REPLY;
import static io.escrow.daemon.RawClient.TAG;
import static io.escrow.daemon.RawClient.UPD;
import static io.escrow.daemon.RawClient.addWithDescriptor;
import static io.escrow.daemon.RawClient.frame;
import static io.escrow.daemon.RawClient.ints;
import static io.escrow.daemon.RawClient.join;
import static io.escrow.daemon.RawClient.prelude;
import static io.escrow.daemon.RawClient.request;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Status;
import io.escrow.client.BlockingEscrow;
import io.escrow.daemon.RawClient.Answer;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Wrong requests get an answer, wrong bytes end the session, and neither changes a slot or leaks a descriptor. */
class BadInputIT {

    private static final int KEPT_TAG = 31;
    private static final byte[] NONE = {};
    private static final int MAX_PAYLOAD = 32 * 1024;
    private static final int MAX_PACKET = 1024 * 1024;

    @TempDir
    static Path directory;

    @AutoClose
    private static TestDaemon daemon;

    @AutoClose
    private static TestFiles files;

    private static long descriptors;

    @BeforeAll
    static void start() throws IOException {
        files = new TestFiles(directory.resolve("files"), 2);
        daemon = TestDaemon.start(directory);
        descriptors = daemon.warmUp() + 1;
        try (BlockingEscrow escrow = daemon.connect()) {
            escrow.add(KEPT_TAG, 1, files.get(1), TestFiles.payload(1));
        }
    }

    /** The next client is served, finds what was there before and nothing else; nothing more is open than before. */
    @AfterEach
    void nothingHasChanged() throws IOException {
        try (BlockingEscrow escrow = daemon.connect()) {
            for (int tag = 0; tag < KEPT_TAG; tag++) {
                assertEquals(List.of(), escrow.list(tag));
            }
        }
        assertEquals(1, daemon.verifyFiles(KEPT_TAG, files));
        daemon.awaitDescriptors(descriptors);
    }

    /** A request that is refused: the number of descriptors sent with it, the frame, and the answer. */
    @SuppressWarnings("ArrayRecordComponent") // not compared
    record Refused(String name, int descriptors, byte[] frame, Status status, String text) {
        @Override
        public String toString() {
            return name;
        }
    }

    static List<Refused> refused() {
        String tagText = "tag: 32 (expected: 0..31)";
        String indexText = "index: -2147483648 (expected: 0..2147483647)";
        int badIndex = Integer.MIN_VALUE;
        byte[] most = ints(10);
        return List.of(
                new Refused("ADD tag", 0, RawClient.add(32, 0, NONE), Status.EINVAL, tagText),
                new Refused("ADD tag, descriptor", 1, addWithDescriptor(32, 0, NONE), Status.EINVAL, tagText),
                new Refused("GET tag", 0, request(GET, 32, 0), Status.EINVAL, tagText),
                new Refused("DEL tag", 0, request(DEL, 32, 0), Status.EINVAL, tagText),
                new Refused("TAG tag", 0, request(TAG, 32, 0), Status.EINVAL, tagText),
                new Refused("LST tag", 0, frame(LST, 0, 32, 0, most), Status.EINVAL, tagText),
                new Refused("GET last tag", 0, request(GET, 65535, 0), Status.EINVAL, "tag: 65535 (expected: 0..31)"),
                new Refused("ADD index", 0, RawClient.add(0, badIndex, NONE), Status.EINVAL, indexText),
                new Refused("ADD index, descriptor", 1, addWithDescriptor(0, -1, NONE), Status.EINVAL, "index: -1 ("),
                new Refused("GET index", 0, request(GET, 0, badIndex), Status.EINVAL, indexText),
                new Refused("DEL index", 0, request(DEL, 0, badIndex), Status.EINVAL, indexText),
                new Refused("LST index", 0, frame(LST, 0, 0, badIndex, most), Status.EINVAL, indexText),
                new Refused("LST of none", 0, frame(LST, 0, 0, 0, ints(0)), Status.EINVAL, "slots in a page: 0 ("),
                new Refused("LST of many", 0, frame(LST, 0, 0, 0, ints(1025)), Status.EINVAL, "(expected: 1..1024)"),
                new Refused(
                        "negative payload length",
                        0,
                        frame(ADD, 0, 0, 0, ints(-1, -5)),
                        Status.EINVAL,
                        "payload length: -5 (expected: 0..32768)"),
                new Refused(
                        "negative payload length, descriptor",
                        1,
                        frame(ADD, DESCRIPTOR, 0, 0, ints(7, Integer.MIN_VALUE)),
                        Status.EINVAL,
                        "payload length: -2147483648 (expected: 0..32768)"),
                new Refused(
                        "payload over the limit",
                        0,
                        RawClient.add(0, 0, new byte[MAX_PAYLOAD + 1]),
                        Status.EMSGSIZE,
                        "payload length: 32769 (expected: <= 32768)"),
                new Refused(
                        "payload over the limit, descriptor",
                        1,
                        addWithDescriptor(0, 0, new byte[MAX_PAYLOAD + 1]),
                        Status.EMSGSIZE,
                        "payload length: 32769 (expected: <= 32768)"),
                new Refused(
                        "payload longer than the frame",
                        0,
                        frame(ADD, 0, 0, 0, ints(-1, 5)),
                        Status.EINVAL,
                        "payload length: 5 (expected: 0, as the frame has)"),
                new Refused(
                        "payload shorter than the frame",
                        1,
                        frame(ADD, DESCRIPTOR, 0, 0, ints(-1, 3, 0)),
                        Status.EINVAL,
                        "payload length: 3 (expected: 4, as the frame has)"),
                new Refused(
                        "ADD too short",
                        1,
                        frame(ADD, DESCRIPTOR, 0, 0, ints(-1)),
                        Status.EINVAL,
                        "length of ADD: 4 (expected: >= 8)"),
                new Refused("GET of an empty slot", 0, request(GET, 0, 3), Status.ENOENT, "GET request: 0/3"),
                new Refused("DEL of an empty slot", 0, request(DEL, 0, 3), Status.ENOENT, "DEL request: 0/3"),
                new Refused("GET of the last slot", 0, request(GET, 31, Integer.MAX_VALUE), Status.ENOENT, "31/21474"),
                new Refused("GET, descriptor", 1, frame(GET, DESCRIPTOR, 31, 1, NONE), Status.EINVAL, "only with ADD"),
                new Refused("DEL, descriptor", 1, frame(DEL, DESCRIPTOR, 31, 1, NONE), Status.EINVAL, "only with ADD"),
                new Refused("TAG, descriptor", 1, frame(TAG, DESCRIPTOR, 31, 0, NONE), Status.EINVAL, "only with ADD"),
                new Refused("LST, descriptor", 1, frame(LST, DESCRIPTOR, 31, 0, most), Status.EINVAL, "only with ADD"),
                new Refused(
                        "GET, descriptor that does not come",
                        0,
                        frame(GET, DESCRIPTOR, 31, 1, NONE),
                        Status.EINVAL,
                        "only with ADD"),
                new Refused(
                        "ADD, descriptor that does not come",
                        0,
                        addWithDescriptor(0, 0, NONE),
                        Status.EINVAL,
                        "the descriptor announced for slot 0/0 did not come"),
                new Refused("UPD tag", 0, frame(UPD, 0, 32, 0, ints(0)), Status.EINVAL, tagText),
                new Refused("UPD index", 0, frame(UPD, 0, 0, badIndex, ints(0)), Status.EINVAL, indexText),
                new Refused("UPD of an empty slot", 0, frame(UPD, 0, 0, 3, ints(0)), Status.ENOENT, "0/3"),
                new Refused("UPD, negative length", 0, frame(UPD, 0, 31, 1, ints(-2)), Status.EINVAL, "length: -2 ("),
                new Refused("UPD, longer than the frame", 0, frame(UPD, 0, 31, 1, ints(1)), Status.EINVAL, "1 (expect"),
                new Refused(
                        "UPD too short", 0, request(UPD, 31, 1), Status.EINVAL, "length of UPD: 0 (expected: >= 4)"),
                new Refused("UPD, descriptor", 1, frame(UPD, DESCRIPTOR, 31, 1, ints(0)), Status.EINVAL, "only with"),
                new Refused("unknown flag", 0, frame(GET, 0x20, 31, 1, NONE), Status.EINVAL, "flags of GET: 0x20 ("),
                new Refused("unknown flag, body", 0, frame(DEL, 0x40, 31, 1, ints(1)), Status.EINVAL, "DEL: 0x40 ("),
                new Refused("flag of another", 0, frame(UPD, 0x10, 31, 1, ints(0)), Status.EINVAL, "none but 0x08)"),
                new Refused("unknown flag, descriptor", 1, add(0x21), Status.EINVAL, "flags of ADD: 0x21 ("),
                new Refused("STAND_IN without DESCRIPTOR", 0, add(0x02), Status.EINVAL, "0x02 (expected: with 0x01)"),
                new Refused(
                        "KEEP_FLAGS without DESCRIPTOR", 0, add(0x04), Status.EINVAL, "0x04 (expected: with 0x01)"));
    }

    /** Returns an ADD with these flags and nothing in it. */
    private static byte[] add(int flags) {
        return frame(ADD, flags, 0, 0, ints(-1, 0));
    }

    @ParameterizedTest
    @MethodSource
    void refused(Refused refused) throws IOException {
        try (RawClient client = daemon.open()) {
            client.packet(Collections.nCopies(refused.descriptors(), files.get(0)), refused.frame());
            Answer answer = client.receive().only();
            assertEquals(refused.status().errno(), answer.errno());
            assertTrue(answer.text().contains(refused.text()), answer::text);
            assertEquals(INF, client.ask(request(TAG, KEPT_TAG, 0)).only().opcode());
        }
    }

    /** The requests around a wrong one are carried out, and their descriptors are their own. */
    @Test
    void refusedInTheMiddleOfAPacket() throws IOException {
        try (RawClient client = daemon.open()) {
            client.packet(
                    List.of(files.get(0), files.get(1), files.get(0)),
                    addWithDescriptor(0, 0, TestFiles.payload(0)),
                    addWithDescriptor(0, 9, new byte[MAX_PAYLOAD + 1]),
                    addWithDescriptor(0, 0, TestFiles.payload(0)),
                    request(TAG, 0, 0));
            List<Answer> answers = client.receive().answers();
            assertEquals(
                    List.of(0, Status.EMSGSIZE.errno(), 0),
                    answers.stream().limit(3).map(Answer::errno).toList());
            assertEquals(1, answers.get(3).body().getInt(0));
        }
        assertEquals(1, daemon.verifyFiles(0, files));
        try (RawClient client = daemon.open()) {
            assertEquals(0, client.ask(request(DEL, 0, 0)).only().errno());
        }
    }

    /** Bytes that can't be trusted: whether a greeting comes before, the descriptors between prelude and frames. */
    @SuppressWarnings("ArrayRecordComponent") // not compared
    record Broken(String name, boolean greet, byte[] prelude, int descriptors, byte[] frames, String text) {
        @Override
        public String toString() {
            return name;
        }
    }

    private static Broken packet(String name, int descriptors, byte[] frames, String text) {
        return new Broken(name, true, prelude(frames.length, descriptors), descriptors, frames, text);
    }

    private static Broken first(String name, byte[] frames, String text) {
        return new Broken(name, false, prelude(frames.length, 0), 0, frames, text);
    }

    private static Broken length(int length, int descriptors, String text) {
        return new Broken("prelude " + length + ", " + descriptors, true, prelude(length, descriptors), 0, NONE, text);
    }

    static List<Broken> broken() {
        byte[] tag = request(TAG, KEPT_TAG, 0);
        byte[] addFile = addWithDescriptor(0, 0, NONE);
        String packetText = " (expected: 12..1048576)";
        return List.of(
                length(0, 0, "packet length: 0" + packetText),
                length(11, 0, "packet length: 11" + packetText),
                length(MAX_PACKET + 1, 0, "packet length: 1048577" + packetText),
                length(-1, 0, "packet length: 4294967295" + packetText),
                length(12, 129, "descriptors in a packet: 129 (expected: 0..128)"),
                length(12, -1, "descriptors in a packet: 2147483647 (expected: 0..128)"),
                packet("opcode 0", 0, request(0, 0, 0), "opcode: 0 "),
                packet("opcode 10", 0, request(10, 0, 0), "opcode: 10 "),
                packet("opcode 255", 0, request(255, 0, 0), "opcode: 255 "),
                packet("opcode 10, descriptor", 1, frame(10, DESCRIPTOR, 0, 0, NONE), "opcode: 10 "),
                packet("an answer", 0, frame(GET, REPLY, 31, 1, NONE), "opcode: 3 with flags 128"),
                packet("frame length 0", 0, join(ints(0), new byte[8]), "frame length: 0 ("),
                packet("frame length 7", 0, join(ints(7), new byte[8]), "frame length: 7 (expected: 8..1048572)"),
                packet("frame length -1", 0, join(ints(-1), new byte[8]), "frame length: -1 ("),
                packet("frame length over the packet's limit", 0, join(ints(MAX_PACKET), tag), "length: 1048576 ("),
                packet("frame longer than its packet", 0, join(ints(20), new byte[8]), "packet"),
                packet("packet with a rest", 0, join(tag, new byte[3]), "packet"),
                packet("GET with a body", 0, frame(GET, 0, 31, 1, ints(1)), "length of GET: 4 (expected: 0)"),
                packet("DEL with a body", 0, frame(DEL, 0, 31, 1, ints(1)), "length of DEL: 4 (expected: 0)"),
                packet("LST without a body", 0, request(LST, 31, 1), "length of LST: 0 (expected: 4)"),
                packet("HEL too short", 0, request(HEL, 0, 0), "length of HEL: 0 (expected: >= 8)"),
                packet("a second HEL", 0, RawClient.HELLO, "a second HEL (expected: one, in the first packet"),
                packet("HEL beside a request", 0, join(tag, RawClient.HELLO), "frames in the packet of HEL: 2 ("),
                packet("REP", 0, frame(REP, 0, 0, 0, ints(0)), "opcode: 5 with flags 0 (expected: a request)"),
                packet("INF", 0, frame(INF, 0, 0, 0, new byte[24]), "opcode: 7 with flags 0 (expected: a request)"),
                packet("descriptor nobody announces", 1, tag, "descriptors that no frame of the packet announces: 1"),
                packet(
                        "too many frames",
                        0,
                        join(IntStream.range(0, 1025).mapToObj(i -> tag).toArray(byte[][]::new)),
                        "frames in a packet: more than 1024"),
                packet(
                        "too many fetches",
                        0,
                        join(Collections.nCopies(129, request(GET, 0, 3)).toArray(byte[][]::new)),
                        "requests in a packet with a descriptor, or for one: more than 128"),
                packet("ADD that does not announce its descriptor", 1, add(0), "frame of the packet announces: 1"),
                packet("wrong frame behind right ones", 1, join(addFile, add(0), request(10, 0, 0)), "opcode: 10 "),
                first(
                        "greeting and more",
                        join(RawClient.HELLO, add(0)),
                        "frames in the packet of HEL: 2 (expected: 1)"),
                first("flags of HEL", frame(HEL, 0x10, 0, 0, ints(MAGIC, 1 << 16)), "flags of HEL: 0x10 ("),
                first("no greeting", tag, "the first frame is not HEL"),
                first("version 2", frame(HEL, 0, 0, 0, ints(MAGIC, 2 << 16)), "protocol version: 2 (expected: 1)"),
                first("version 0", frame(HEL, 0, 0, 0, ints(MAGIC, 0)), "protocol version: 0 (expected: 1)"),
                first("magic", frame(HEL, 0, 0, 0, ints(1, 1 << 16)), "magic of HEL: 00000001 (expected: 45534352)"),
                new Broken(
                        "HTTP", false, "GET / HTTP/1.1\r\n".getBytes(US_ASCII), 0, NONE, "packet length: 1195725856"),
                new Broken("zeros", false, new byte[100], 0, NONE, "packet length: 0"));
    }

    @ParameterizedTest
    @MethodSource
    void broken(Broken broken) throws IOException {
        try (RawClient client = broken.greet() ? daemon.open() : RawClient.connect(daemon.path())) {
            client.bytes(broken.prelude());
            for (int i = 0; i < broken.descriptors(); i++) {
                client.descriptor(files.get(0));
            }
            client.bytes(broken.frames());
            Answer answer = client.receive().only();
            assertEquals(Status.EPROTO.errno(), answer.errno());
            assertTrue(answer.text().contains(broken.text()), answer::text);
            client.awaitEnd();
        }
    }

    /** Plain bytes come where descriptors are due, and no end of them. */
    @Test
    void bytesInPlaceOfDescriptors() throws IOException {
        try (RawClient client = daemon.open()) {
            client.bytes(prelude(12, 1));
            await("the end of the session").atMost(TestDaemon.TIMEOUT).until(() -> {
                try {
                    client.bytes(new byte[1]);
                    return false;
                } catch (IOException e) {
                    return e.getMessage().contains("Broken pipe");
                }
            });
            Answer answer = client.receive().only();
            assertEquals(Status.EPROTO.errno(), answer.errno());
            assertEquals("a byte came where a descriptor was due", answer.text());
        }
    }

    /** A packet in which one byte is wrong may ask for something else, but nothing leaks and nobody is shut out. */
    @Test
    void anyByteWrong() throws IOException {
        Random random = new Random(1);
        byte[] frames = join(
                addWithDescriptor(0, 1, NONE), request(GET, 0, 1), addWithDescriptor(0, 2, NONE), request(DEL, 0, 2));
        byte[] prelude = prelude(frames.length, 2);
        for (int at = 0; at < prelude.length + frames.length; at++) {
            byte[] first = prelude.clone();
            byte[] then = frames.clone();
            byte[] changed = at < first.length ? first : then;
            changed[changed == first ? at : at - first.length] += (byte) (1 + random.nextInt(255));
            try (RawClient client = daemon.open()) {
                sendWhatTheDaemonTakes(client, first, then);
            }
        }
        long held = 0;
        try (BlockingEscrow escrow = daemon.connect()) {
            for (int tag = 0; tag < KEPT_TAG; tag++) {
                for (var slot : escrow.list(tag)) {
                    held += slot.hasDescriptor() ? 1 : 0;
                }
            }
            daemon.awaitDescriptors(descriptors + held + TestDaemon.SESSION);
            for (int tag = 0; tag < KEPT_TAG; tag++) {
                escrow.deleteAll(escrow.list(tag).stream()
                                .map(slot -> slot.key())
                                .iterator())
                        .orThrow();
            }
        }
    }

    private static void sendWhatTheDaemonTakes(RawClient client, byte[] prelude, byte[] frames) {
        try {
            client.bytes(prelude);
            for (FileDescriptor descriptor : List.of(files.get(0), files.get(1))) {
                client.descriptor(descriptor);
            }
            client.bytes(frames);
        } catch (IOException e) {
            assertTrue(e.getMessage().contains("Broken pipe"), e::toString);
        }
    }
}
