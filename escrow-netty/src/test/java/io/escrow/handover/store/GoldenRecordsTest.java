package io.escrow.handover.store;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Status;
import io.netty.buffer.Unpooled;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Reads payloads that servers have stored, one file for each version and kind of record. The files of a version are
 * never changed: each later version must read them, with what is expected here.
 */
class GoldenRecordsTest {

    private static final int CHUNK = 256;

    private static final String WEBSOCKET = """
            GET /ws HTTP/1.1\r
            Connection: Upgrade\r
            Content-Length: 0\r
            Host: 127.0.0.1:%s\r
            Upgrade: websocket\r
            User-Agent: Java-http-client/17.0.15\r
            Sec-WebSocket-Key: %s\r
            Sec-WebSocket-Version: 13\r
            sec-websocket-protocol: numbers\r
            \r
            """;

    private static final Map<String, ChannelRecord> EXPECTED = new LinkedHashMap<>();

    static {
        expect("listener", ChannelRecord.builder("echo", true));
        expect("inherited-listener", ChannelRecord.builder("http", true).mark("inherited"));
        expect("fresh-connection", ChannelRecord.builder("http", false));
        expect(
                "http",
                rested("http", 1_795_770_000_000L)
                        .put("unsent", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".getBytes(UTF_8))
                        .putHandler("sessions", new byte[] {0, 0, 0, 7}, false)
                        .put("gate", "GET /second HTTP/1.1\r\nhost: localhost\r\n\r\nGET /th".getBytes(UTF_8)));
        expect(
                "websocket",
                rested("http", 1_795_769_507_640L)
                        .put("protocol:http", webSocket("34325", "Lsb1ohQBoJlTIYCnUUJRYg=="))
                        .putHandler("count", new byte[] {0, 0, 2, 'w'}, false)
                        .put("gate", "\u0081\u008b\u0004MD\u009fi(7\u00ece*!\u00bf2~u".getBytes(ISO_8859_1)));
        expect(
                "websocket-crash-safe",
                ChannelRecord.builder("http", false)
                        .put("protocol:http", webSocket("44381", "xH57t37uCBUHGc5Cb9WvEA=="))
                        .putHandler("count", new byte[4], false));
        expect(
                "collected",
                rested("echo", 1_795_769_515_771L)
                        .putHandler("counter", new byte[] {0, 0, 0, 1}, false)
                        .put("collected:LengthFieldBasedFrameDecoder#0", new byte[] {0}));
        expect("handler", rested("echo", 1_795_769_515_771L).putHandler("counter", new byte[] {0, 0, 0, 1}, false));
        expect("output-shut", rested("echo", 1_795_770_000_000L).mark("output-shut"));
        expect("rendezvous", ChannelRecord.builder("\0rendezvous", true));
        byte[] large = new byte[600];
        for (int i = 0; i < large.length; i++) {
            large[i] = (byte) i;
        }
        expect(
                "chunks",
                rested("echo", 1_795_770_000_000L)
                        .putHandler("large", large, false)
                        .put("gate", "more".getBytes(UTF_8)));
    }

    private static void expect(String name, ChannelRecord.Builder record) {
        EXPECTED.put(name, record.build());
    }

    private static ChannelRecord.Builder rested(String listener, long millis) {
        return ChannelRecord.builder(listener, true)
                .put("rested", ByteBuffer.allocate(Long.BYTES).putLong(millis).array());
    }

    private static byte[] webSocket(String port, String key) {
        return WEBSOCKET.formatted(port, key).getBytes(UTF_8);
    }

    static Stream<String> names() {
        return EXPECTED.keySet().stream();
    }

    private static byte[] payload(String file) throws IOException {
        try (InputStream in = GoldenRecordsTest.class.getResourceAsStream("records/" + file + ".bin")) {
            return in.readAllBytes();
        }
    }

    /** Reads what is behind the header, and the chunks that the header announces. */
    private static byte[] record(String file) throws IOException {
        byte[] payload = payload(file);
        ByteArrayOutputStream record = new ByteArrayOutputStream();
        record.write(payload, EscrowTable.HEADER_LENGTH, payload.length - EscrowTable.HEADER_LENGTH);
        ByteBuffer header = ByteBuffer.wrap(payload);
        int chunks = header.getInt();
        int first = header.getInt();
        for (int i = first; i < first + chunks; i++) {
            record.write(payload(file + "-" + i));
        }
        return record.toByteArray();
    }

    private static ChannelRecord read(String file) throws IOException {
        return ChannelRecord.decode(Unpooled.wrappedBuffer(record(file)));
    }

    private static void assertSame(ChannelRecord expected, ChannelRecord read) {
        assertEquals(expected.listener(), read.listener());
        assertEquals(expected.clean(), read.clean());
        assertEquals(
                List.copyOf(expected.sections().keySet()),
                List.copyOf(read.sections().keySet()));
        expected.sections().forEach((name, section) -> {
            assertArrayEquals(section.bytes(), read.get(name), name);
            assertEquals(section.required(), read.sections().get(name).required(), name);
        });
        assertEquals(0, read.farewell().length);
    }

    @ParameterizedTest
    @MethodSource("names")
    void version1IsRead(String name) throws Exception {
        assertSame(EXPECTED.get(name), read("v1/" + name));
        assertDescribed(1, name);
    }

    @ParameterizedTest
    @MethodSource("names")
    void version2IsRead(String name) throws Exception {
        assertSame(EXPECTED.get(name), read("v2/" + name));
        assertDescribed(2, name);
    }

    /** What is told of the slot is what the record says. */
    private static void assertDescribed(int version, String name) throws IOException {
        byte[] payload = payload("v" + version + "/" + name);
        ChannelRecord expected = EXPECTED.get(name);
        HandoverRecord told = HandoverRecord.of(payload).orElseThrow();
        assertTrue(told.isReadable());
        assertEquals(version, told.version());
        assertEquals(version, told.lowest());
        assertEquals(name.equals("rendezvous"), told.isRendezvous());
        assertEquals(!told.isRendezvous(), told.isChannel());
        assertEquals(expected.listener(), told.listener());
        assertEquals(expected.clean(), told.clean());
        Map<String, Integer> sizes = new LinkedHashMap<>();
        expected.sections().forEach((section, content) -> sizes.put(section, content.bytes().length));
        if (name.equals("chunks")) {
            assertEquals(2, told.chunks());
            sizes.remove("gate"); // begins in a chunk
        } else {
            assertEquals(0, told.chunks());
        }
        assertEquals(sizes, told.sections());
        sizes.keySet().removeIf(section -> !expected.sections().get(section).required());
        assertEquals(sizes.keySet(), told.required());
    }

    @ParameterizedTest
    @MethodSource("names")
    void version2IsWrittenByteForByte(String name) throws Exception {
        byte[] written = EXPECTED.get(name).encode();
        assertArrayEquals(record("v2/" + name), written);
        if (name.equals("chunks")) {
            int inSlot = CHUNK - EscrowTable.HEADER_LENGTH;
            assertArrayEquals(Arrays.copyOfRange(written, inSlot, inSlot + CHUNK), payload("v2/chunks-0"));
        }
    }

    @Test
    void ofTheSectionsThoseAreRequiredThatChangeWhatThePeerGets() {
        Map<String, Boolean> required = new LinkedHashMap<>();
        EXPECTED.values()
                .forEach(
                        record -> record.sections().forEach((name, section) -> required.put(name, section.required())));
        assertEquals(
                Map.ofEntries(
                        Map.entry("rested", false),
                        Map.entry("inherited", false),
                        Map.entry("output-shut", true),
                        Map.entry("unsent", true),
                        Map.entry("gate", true),
                        Map.entry("protocol:http", true),
                        Map.entry("collected:LengthFieldBasedFrameDecoder#0", true),
                        Map.entry("handler:sessions", false),
                        Map.entry("handler:count", false),
                        Map.entry("handler:counter", false),
                        Map.entry("handler:large", false)),
                required);
    }

    @Test
    void aHandlerSaysWhetherItIsRequired() throws Exception {
        ChannelRecord expected = rested("mqtt", 1_795_770_000_000L)
                .putHandler("session", new byte[] {1, 2, 3}, true)
                .putHandler("counter", new byte[] {4}, false)
                .build();
        ChannelRecord read = read("v2/required-handler");
        assertSame(expected, read);
        assertArrayEquals(record("v2/required-handler"), expected.encode());
        assertEquals(List.of("handler:session"), read.unknownRequired(name -> false));
        assertEquals(
                Set.of("handler:session"),
                HandoverRecord.of(payload("v2/required-handler")).orElseThrow().required());
    }

    @Test
    void aConnectionThatCannotGoOnElsewhereSaysWhy() throws Exception {
        ChannelRecord expected = ChannelRecord.builder("http", false)
                .putHandler("count", new byte[] {0, 0, 0, 2}, false)
                .build()
                .immovable("HTTP/2");
        ChannelRecord read = read("v2/immovable");
        assertSame(expected, read);
        assertArrayEquals(record("v2/immovable"), expected.encode());
        assertEquals("HTTP/2", read.whyImmovable());
        assertEquals("HTTP/2", read.withoutBytes().whyImmovable());
        assertEquals(List.of(), read.unknownRequired(name -> name.startsWith("handler:")));
        assertEquals(
                Set.of("immovable"),
                HandoverRecord.of(payload("v2/immovable")).orElseThrow().required());
    }

    @Test
    void theFileOfMarksHasASlot() throws Exception {
        ChannelRecord expected = ChannelRecord.builder("\0marks", false).build();
        assertSame(expected, read("v2/marks"));
        assertArrayEquals(record("v2/marks"), expected.encode());
        HandoverRecord told = HandoverRecord.of(payload("v2/marks")).orElseThrow();
        assertTrue(told.isMarks());
        assertFalse(told.isChannel());
    }

    @Test
    void attributesHaveSectionsThatOutlastTheBytes() throws Exception {
        ChannelRecord expected = rested("http", 1_795_770_000_000L)
                .putAttribute("user", "ann".getBytes(UTF_8), false)
                .putAttribute("com.example.Login#session", new byte[] {0, 0, 0, 7}, true)
                .putAttribute("seen", new byte[0], false)
                .build();
        ChannelRecord read = read("v2/attributes");
        assertSame(expected, read);
        assertArrayEquals(record("v2/attributes"), expected.encode());
        assertEquals(
                List.of("user", "com.example.Login#session", "seen"),
                List.copyOf(read.withoutBytes().withPrefix("attribute:").keySet()));
        assertEquals(List.of("attribute:com.example.Login#session"), read.unknownRequired(name -> false));
        assertEquals(
                Set.of("attribute:com.example.Login#session"),
                HandoverRecord.of(payload("v2/attributes")).orElseThrow().required());
    }

    @Test
    void ticketKeysHaveASlotOfTheirOwn() throws Exception {
        byte[] keys = new byte[2 + 2 * 40];
        Arrays.fill(keys, (byte) 0x5A);
        ChannelRecord expected =
                ChannelRecord.builder("\0tickets", true).put("tickets", keys).build();
        ChannelRecord read = read("v2/tickets");
        assertSame(expected, read);
        assertArrayEquals(record("v2/tickets"), expected.encode());
        assertEquals(List.of("tickets"), read.unknownRequired(name -> false));

        byte[] payload = payload("v2/tickets");
        HandoverRecord told = HandoverRecord.of(payload).orElseThrow();
        assertTrue(told.isTickets());
        assertFalse(told.isRendezvous());
        assertEquals(Map.of("tickets", keys.length), told.sections());
        byte[] shown = HandoverRecord.withoutSecrets(payload);
        assertEquals(HandoverRecord.of(payload), HandoverRecord.of(shown));
        assertFalse(new String(shown, ISO_8859_1).contains("ZZ"));
        assertTrue(new String(payload, ISO_8859_1).contains("ZZ"));
    }

    @Test
    void nothingElseIsHidden() throws Exception {
        for (String name : List.of("v2/http", "v2/chunks", "later/needs-more")) {
            assertArrayEquals(payload(name), HandoverRecord.withoutSecrets(payload(name)));
        }
        assertEquals(0, HandoverRecord.withoutSecrets(new byte[0]).length);
        // The keys of a connection, up to where the record goes on in another slot.
        byte[] cut = ByteBuffer.allocate(64)
                .putInt(1)
                .putInt(7)
                .put(
                        ChannelRecord.builder("https", true)
                                .put("tls", "Z".repeat(100).getBytes(UTF_8))
                                .build()
                                .encode(),
                        0,
                        56)
                .array();
        assertFalse(new String(HandoverRecord.withoutSecrets(cut), ISO_8859_1).contains("Z"));
    }

    @Test
    void aLaterWriterMayAddFlagsAndSections() throws Exception {
        ChannelRecord read = read("later/adds");
        assertEquals("echo", read.listener());
        assertTrue(read.clean());
        assertEquals(
                List.of("unsent", "options", "handler:x", "new"),
                List.copyOf(read.sections().keySet()));
        assertEquals(List.of("new"), read.unknownRequired(name -> name.startsWith("handler:")));
        assertEquals(
                List.of("handler:x"), List.copyOf(read.withoutBytes().sections().keySet()));

        HandoverRecord told = HandoverRecord.of(payload("later/adds")).orElseThrow();
        assertEquals(3, told.version());
        assertEquals(2, told.lowest());
        assertEquals(Set.of("unsent", "new"), told.required());
    }

    @Test
    void whatNeedsALaterReaderIsNotRead() throws Exception {
        UnreadableRecordException refused =
                assertThrows(UnreadableRecordException.class, () -> read("later/needs-more"));
        assertEquals(Status.EOPNOTSUPP, refused.status());
        assertTrue(refused.isTooNew());
        assertEquals(3, refused.lowest());
        assertEquals(4, refused.version());
        assertTrue(
                refused.getMessage()
                        .contains("needs a reader of version 3 or later (this one: 2); it was written by version 4"),
                refused.getMessage());

        HandoverRecord told = HandoverRecord.of(payload("later/needs-more")).orElseThrow();
        assertFalse(told.isReadable());
        assertFalse(told.isRendezvous());
        assertNull(told.listener());
        assertEquals(3, told.lowest());
        assertEquals(4, told.version());
        assertEquals(Map.of(), told.sections());
    }
}
