package io.escrow.daemon;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Deposit;
import io.escrow.EscrowException;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.control.ErrorView;
import io.escrow.control.EventView;
import io.escrow.control.Json;
import io.escrow.control.SlotDetails;
import io.escrow.control.SlotView;
import io.escrow.control.StatusView;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.config.OperatorOptions;
import io.escrow.daemon.config.SessionTimeouts;
import io.escrow.testing.TestConnection;
import io.escrow.testing.TestFile;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A daemon in this process, and what it answers on its control socket, byte by byte. */
class ControlTest {

    private static final Duration TIME = Duration.ofSeconds(30);
    private static final int CONNECTIONS = 3;
    private static final int MANY = 4_000;

    @TempDir
    Path directory;

    private Path path;
    private EscrowDaemon daemon;
    private TestFile file;
    private FileDescriptor descriptor;

    @BeforeEach
    void start() throws IOException {
        path = directory.resolve("s");
        daemon = start(Duration.ofSeconds(10));
        file = new TestFile(directory, "a");
        descriptor = file.open();
    }

    private EscrowDaemon start(Duration hello) throws EscrowException {
        return EscrowDaemon.start(DaemonOptions.builder()
                .path(path.toString())
                .timeouts(new SessionTimeouts(hello, Duration.ofSeconds(10), Duration.ofSeconds(10)))
                .operators(new OperatorOptions(CONNECTIONS, null))
                .build());
    }

    @AfterEach
    void stop() throws IOException {
        daemon.close();
        file.awaitOpenCount(1);
        descriptor.close();
    }

    private BlockingEscrow connect() throws EscrowException {
        return EscrowClient.builder().path(path.toString()).connectTimeout(TIME).connectBlocking(TIME);
    }

    /** Fills slots with duplicates of the same descriptor. */
    private void fill(int tag, int count) throws EscrowException {
        try (BlockingEscrow escrow = connect()) {
            Iterator<Deposit> deposits = IntStream.range(0, count)
                    .mapToObj(i -> new Deposit(tag, i, descriptor, new byte[i % 100]))
                    .iterator();
            assertEquals(count, escrow.addAll(deposits).orThrow().succeeded());
        }
    }

    private StatusView status() throws IOException {
        return Operator.ask(path, "GET /status").read(StatusView.class);
    }

    private List<String> slots(String query) throws IOException {
        return Operator.lines(path, "GET /slots" + query, SlotView.class).stream()
                .map(slot -> slot.tag() + "/" + slot.index())
                .toList();
    }

    @Test
    void tellsHowItIs() throws IOException {
        fill(3, 2);
        long pid = ProcessHandle.current().pid();
        try (BlockingEscrow escrow = connect();
                SocketChannel waiting = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
            assertTrue(waiting.isConnected());
            escrow.add(5, 0, new byte[7]);
            assertThrows(EscrowException.class, () -> escrow.get(5, 1));
            StatusView status = status();

            assertEquals(pid, status.pid());
            assertEquals(path.toString(), status.path());
            assertEquals(pid, status.session().pid());
            assertEquals(2, status.session().requests());
            assertTrue(status.session().queuedSeconds() >= 0);
            assertEquals(1, status.waiting());
            assertEquals(3, status.slots());
            assertEquals(2, status.descriptors());
            assertEquals(8, status.payloadBytes());
            assertEquals(
                    List.of(new StatusView.TagView(3, 2, 2, 1), new StatusView.TagView(5, 1, 0, 7)), status.tags());
            assertTrue(status.openFiles() > 2 && status.openFiles() < status.maxOpenFiles());
            assertEquals(2, status.counters().sessions());
            assertEquals(
                    Map.of("add", Map.of("OK", 3L), "get", Map.of("ENOENT", 1L)),
                    status.counters().requests());
        }
        // Who has gone from the queue counts until it is its turn.
        await().until(() -> {
            StatusView status = status();
            return status.session() == null && status.waiting() == 0;
        });
    }

    @Test
    void listsAcrossTagsToTheLastIndex() throws IOException {
        List<String> expected = new ArrayList<>();
        try (BlockingEscrow escrow = connect()) {
            for (int i = 0; i < 20; i++) {
                escrow.add(0, i, new byte[0]);
                expected.add("0/" + i);
            }
            for (int i = Integer.MAX_VALUE - 15; i > 0; i++) {
                escrow.add(1, i, new byte[0]);
                expected.add("1/" + i);
            }
            escrow.add(31, Integer.MAX_VALUE, new byte[0]);
            expected.add("31/" + Integer.MAX_VALUE);
        }

        assertEquals(expected, slots(""));
        assertEquals(expected.subList(20, 36), slots("?tag=1"));
        assertEquals(List.of("31/2147483647"), slots("?tag=31"));
        assertEquals(List.of(), slots("?tag=2"));
    }

    @Test
    void listsNothing() throws IOException {
        Operator.Answer answer = Operator.ask(path, "GET /slots");

        assertEquals(200, answer.status());
        assertEquals("application/x-ndjson", answer.headers().get("content-type"));
        assertEquals("", answer.body());
    }

    @Test
    void showsSlot() throws IOException {
        fill(2, 3);
        SlotDetails details = Operator.ask(path, "GET /slots/2/2").read(SlotDetails.class);

        assertEquals("file", details.slot().kind());
        assertEquals(descriptor.intValue(), details.number());
        assertEquals("AAA=", details.payload());
        assertNull(details.sections());
        assertEquals(ProcessHandle.current().pid(), details.slot().pid());
    }

    @Test
    void removesSlotAndCounts() throws IOException {
        fill(2, 3);
        try (BlockingEscrow escrow = connect()) {
            assertEquals(
                    "{\"tag\":2,\"index\":1}\n",
                    Operator.ask(path, "DELETE /slots/2/1").body());
            assertThrows(EscrowException.class, () -> escrow.get(2, 1));
        }
        file.awaitOpenCount(3);

        assertEquals(1, status().counters().removed());
        assertEquals(List.of(new StatusView.TagView(2, 2, 2, 2)), status().tags());
        assertEquals(404, Operator.ask(path, "DELETE /slots/2/1").status());
        assertEquals(1, status().counters().removed());
    }

    @Test
    void peerOfRemovedConnectionSeesItsEnd() throws IOException {
        try (TestConnection connection = TestConnection.tcp();
                BlockingEscrow escrow = connect()) {
            escrow.add(0, 0, connection.server(), new byte[0]);
            connection.server().close();
            connection.peerSends((byte) 1);

            assertEquals(200, Operator.ask(path, "DELETE /slots/0/0").status());
            assertTrue(isEnded(connection));
        }
    }

    /** What was not read when it was closed, is answered with a reset. */
    private static boolean isEnded(TestConnection connection) {
        try {
            return connection.peerReadsToTheEnd().length == 0;
        } catch (IOException e) {
            return true;
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            GET /                      | 400 | EINVAL | no such request: GET /
            GET /Status                | 400 | EINVAL | no such request: GET /Status
            POST /status               | 400 | EINVAL | no such request: POST /status
            GET /session               | 400 | EINVAL | no such request: GET /session
            PUT /slots/1/1             | 400 | EINVAL | no such request: PUT /slots/1/1
            GET /slots/1               | 400 | EINVAL | no such request: GET /slots/1
            GET /slots/-1/1            | 400 | EINVAL | no such request: GET /slots/-1/1
            GET /slots/1/1/            | 400 | EINVAL | no such request: GET /slots/1/1/
            GET /slots/32/1            | 400 | EINVAL | tag: 32 (expected: 0..31)
            GET /slots/65536/1         | 400 | EINVAL | tag: 65536 (expected: 0..31)
            DELETE /slots/0/2147483648 | 400 | EINVAL | index: 2147483648 (expected: 0..2147483647)
            GET /slots/0/9999999999    | 400 | EINVAL | index: 9999999999 (expected: 0..2147483647)
            GET /slots?tag=32          | 400 | EINVAL | tag: 32 (expected: 0..31)
            GET /slots?tag=-1          | 400 | EINVAL | tag: -1 (expected: 0..31)
            GET /slots?tag=            | 400 | EINVAL | tag:  (expected: 0..31)
            GET /slots?tag=one         | 400 | EINVAL | tag: one (expected: 0..31)
            GET /slots/0/7             | 404 | ENOENT | slot 0/7 is empty
            DELETE /slots/0/7          | 404 | ENOENT | slot 0/7 is empty
            DELETE /session            | 404 | ENOENT | there is no session
            """)
    void saysWhatIsWrongWithRequest(String request, int status, String name, String message) throws IOException {
        Operator.Answer answer = Operator.ask(path, request);

        assertEquals(status, answer.status());
        assertEquals("application/json", answer.headers().get("content-type"));
        assertEquals(new ErrorView(name, message), Json.read(answer.body(), ErrorView.class));
    }

    @ParameterizedTest
    @ValueSource(strings = {"GET /%", "GET /slots?tag=%zz"})
    void saysThatAddressIsNotEncoded(String request) throws IOException {
        Operator.Answer answer = Operator.ask(path, request);

        assertEquals(400, answer.status());
        assertEquals("EINVAL", Json.read(answer.body(), ErrorView.class).status());
    }

    @ParameterizedTest
    @ValueSource(strings = {"garbage\r\n\r\n", "\0\u0001\u0002\r\n\r\n", "GET /status FTP/1.1\r\n\r\n", " \r\n\r\n"})
    void saysThatRequestIsNoHttp(String request) throws IOException {
        try (Operator operator = Operator.connect(path)) {
            operator.send(request);
            Operator.Answer answer = operator.answer();

            assertEquals(400, answer.status());
            assertEquals(new ErrorView("EPROTO", "not an HTTP request"), Json.read(answer.body(), ErrorView.class));
        }
    }

    @Test
    void refusesRequestThatIsTooLarge() throws IOException {
        try (Operator operator = Operator.connect(path)) {
            operator.send("GET /" + "x".repeat(5_000) + " HTTP/1.1\r\n\r\n");
            assertEquals(400, operator.answer().status());
        }
        try (Operator operator = Operator.connect(path)) {
            operator.send("GET /status HTTP/1.1\r\nX: " + "x".repeat(9_000) + "\r\n\r\n");
            assertEquals(400, operator.answer().status());
        }
        try (Operator operator = Operator.connect(path)) {
            operator.send("POST /status HTTP/1.1\r\nConnection: close\r\nContent-Length: 1000000000\r\n\r\n");
            assertEquals(413, operator.answer().status());
        }
    }

    @Test
    void answersOneRequestOnly() throws IOException {
        try (Operator operator = Operator.connect(path)) {
            operator.send("GET /status HTTP/1.1\r\n\r\nDELETE /session HTTP/1.1\r\n\r\n");
            Operator.Answer answer = operator.answer();

            assertEquals(200, answer.status());
            assertEquals("close", answer.headers().get("connection"));
        }
    }

    @Test
    void dropsWhoDoesNotFinishItsRequest() throws IOException {
        daemon.close();
        daemon = start(Duration.ofSeconds(1));
        try (Operator silent = Operator.connect(path);
                Operator slow = Operator.connect(path)) {
            slow.send("GET /status HT");

            assertEquals(0, silent.rest().length);
            assertEquals(0, slow.rest().length);
        }
    }

    @Test
    void dropsWhoIsOneTooMany() throws IOException {
        fill(1, 1);
        List<Operator> watching = new ArrayList<>();
        for (int i = 0; i < CONNECTIONS; i++) {
            watching.add(begin("GET /events"));
        }
        try (Operator tooMany = Operator.connect(path);
                BlockingEscrow escrow = connect()) {
            assertEquals(0, tooMany.rest().length);
            assertEquals(1, escrow.tag(1).used());
        }
        for (Operator operator : watching) {
            operator.close();
        }
        await().ignoreExceptionsInstanceOf(IOException.class).until(() -> status().slots() == 1);
    }

    /** Its answer is far more than sockets hold; the session goes on meanwhile, and the slots are not there any more. */
    @Test
    void listsAsFastAsOperatorReads() throws IOException {
        fill(0, MANY);
        try (Operator operator = Operator.begin(path, "GET /slots")) {
            operator.awaitChunks();
            byte[] first = operator.chunk();
            try (BlockingEscrow escrow = connect()) {
                escrow.add(1, 0, descriptor, new byte[0]);
                for (int i = MANY / 2; i < MANY; i++) {
                    escrow.delete(0, i);
                }
            }
            long lines = lines(first);
            for (byte[] chunk = operator.chunk(); chunk.length > 0; chunk = operator.chunk()) {
                lines += lines(chunk);
            }
            assertTrue(lines > MANY / 2 && lines < MANY, "lines: " + lines);
        }
        file.awaitOpenCount(MANY / 2 + 2);
        assertEquals(MANY / 2 + 1, slots("").size());
        file.awaitOpenCount(MANY / 2 + 2);
    }

    private static long lines(byte[] chunk) {
        return IntStream.range(0, chunk.length).filter(i -> chunk[i] == '\n').count();
    }

    @Test
    void forgetsOperatorWhoHangsUp() throws IOException {
        fill(0, MANY);
        for (int i = 0; i < 2 * CONNECTIONS; i++) {
            String request = i % 2 == 0 ? "GET /slots" : "GET /events";
            // Those before may not be gone yet.
            try (Operator operator =
                    await().ignoreExceptionsInstanceOf(IOException.class).until(() -> begin(request), o -> true)) {
                operator.chunk();
            }
        }
        fill(1, 1);

        await().ignoreExceptionsInstanceOf(IOException.class)
                .until(() -> slots("").size() == MANY + 1);
        file.awaitOpenCount(MANY + 2);
    }

    private Operator begin(String request) throws IOException {
        Operator operator = Operator.begin(path, request);
        try {
            operator.awaitChunks();
            return operator;
        } catch (IOException e) {
            operator.close();
            throw e;
        }
    }

    @Test
    void endsAnswersWhenItIsClosed() throws IOException {
        fill(0, MANY);
        try (Operator listing = Operator.begin(path, "GET /slots");
                Operator watching = Operator.begin(path, "GET /events")) {
            listing.awaitChunks();
            watching.awaitChunks();
            daemon.close();

            assertTrue(lines(listing.rest()) < MANY);
            watching.rest();
        }
        assertThrows(IOException.class, this::status);
        file.awaitOpenCount(1);
    }

    @Test
    void tellsWhatHappens() throws IOException {
        try (Operator watching = Operator.begin(path, "GET /events")) {
            watching.awaitChunks();
            List<EventView> events = new ArrayList<>();
            List<EventView> changes = new ArrayList<>();
            while (events.isEmpty()) {
                read(watching, events, changes);
            }
            fill(4, 3);
            // Changes are told now and then, also in the middle of a session.
            while (events.size() < 3 || sum(changes, "added") < 3) {
                read(watching, events, changes);
            }

            assertEquals(
                    List.of("watching", "session began", "session ended"),
                    events.stream().map(EventView::event).toList());
            assertEquals(ProcessHandle.current().pid(), events.get(1).details().get("pid"));
            assertEquals(3L, events.get(2).details().get("requests"));
            for (EventView change : changes) {
                assertEquals(
                        Set.of("tag", "added", "fetched", "deleted"),
                        change.details().keySet());
                assertEquals(4L, change.details().get("tag"));
            }
            assertEquals(3, sum(changes, "added"));
            assertEquals(0, sum(changes, "fetched") + sum(changes, "deleted"));
        }
    }

    /** Reads what has come, those about slots apart from the others. */
    private static void read(Operator watching, List<EventView> events, List<EventView> changes) throws IOException {
        new String(watching.chunk(), UTF_8)
                .lines()
                .map(line -> Json.read(line, EventView.class))
                .forEach(event -> {
                    (event.event().equals("slots changed") ? changes : events).add(event);
                });
    }

    private static long sum(List<EventView> changes, String what) {
        return changes.stream()
                .mapToLong(change -> (long) change.details().get(what))
                .sum();
    }
}
