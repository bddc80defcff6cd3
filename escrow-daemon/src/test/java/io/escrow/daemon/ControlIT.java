package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.SlotKey;
import io.escrow.SocketPath;
import io.escrow.client.BlockingEscrow;
import io.escrow.control.EventView;
import io.escrow.control.Json;
import io.escrow.control.SessionView;
import io.escrow.control.SlotDetails;
import io.escrow.control.SlotView;
import io.escrow.control.StatusView;
import io.escrow.testing.TestConnection;
import io.escrow.testing.TestProcess;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Operators, clients and a daemon, each in a process of its own. */
class ControlIT {

    private static final int TAG = 1;

    @TempDir
    static Path directory;

    private static TestDaemon daemon;
    private static String path;

    @BeforeAll
    static void start() throws IOException {
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
        daemon = TestDaemon.start(directory, "--mode=0666");
        path = daemon.path().toString();
    }

    @AfterAll
    static void stop() throws IOException {
        daemon.close();
    }

    @Test
    void hungSession() throws Exception {
        try (TestFiles files = new TestFiles(directory.resolve("files"), 1);
                TestProcess watching = TestOperator.start("watch", "--json", path)) {
            watching.awaitLine(line -> line.contains("\"watching\""), "watching");
            try (TestProcess hung = TestClient.start("hold", daemon.path(), files, TAG, 0)) {
                hung.awaitLine("holding");
                hung.pause();
                evict(hung, files);
                awaitEvents(watching, hung);
            }
        }
        assertEquals(Set.of(0, 1, 2), daemon.used(TAG));
        empty();
    }

    /** Looks in, and ends the session; those who have waited are served one after the other. */
    private static void evict(TestProcess hung, TestFiles files) throws IOException {
        try (TestProcess next = TestClient.start("hold", daemon.path(), files, TAG, 1);
                TestProcess other = TestClient.start("hold", daemon.path(), files, TAG, 2)) {
            next.awaitLine("waiting for the session of process " + hung.pid());
            other.awaitLine("waiting for the session of process " + hung.pid());
            assertHung(hung);
            assertEquals(
                    hung.pid(),
                    TestOperator.read(SessionView.class, "evict", "--json", path)
                            .pid());
            hung.resume();
            hung.say("ask");
            hung.awaitLine("the connection to escrowd ended: ECANCELED: ended by an operator");
            // Whoever was first in the queue.
            next.say("end");
            other.say("end");
            next.awaitLine("ended");
            other.awaitLine("ended");
        }
    }

    private static void empty() throws IOException {
        try (BlockingEscrow escrow = daemon.connect()) {
            List<SlotKey> used = escrow.list(TAG).stream()
                    .map(slot -> new SlotKey(TAG, slot.index()))
                    .toList();
            escrow.deleteAll(used.iterator()).orThrow();
        }
    }

    private static void assertHung(TestProcess hung) throws IOException {
        StatusView status = TestOperator.read(StatusView.class, "status", "--json", path);
        assertEquals(hung.pid(), status.session().pid());
        assertEquals(TestClient.class.getName(), status.session().program());
        assertEquals(1, status.session().requests());
        assertTrue(status.session().queuedSeconds() >= 0);
        assertEquals(2, status.waiting());
        SlotView slot = TestOperator.readLines(SlotView.class, "ls", "--json", path, "1")
                .get(0);
        assertEquals(hung.pid(), slot.pid());
        assertEquals("none", slot.kind());
    }

    private static void awaitEvents(TestProcess watching, TestProcess hung) {
        String line = watching.awaitLine(l -> l.contains("\"ECANCELED\""), "the end of the session");
        EventView ended = Json.read(line, EventView.class);
        assertEquals("session ended", ended.event());
        assertEquals(hung.pid(), ended.details().get("pid"));
        assertTrue(((String) ended.details().get("reason")).startsWith("ended by an operator (uid "), line);
        List<EventView> begun = watching.lines().stream()
                .map(l -> Json.read(l, EventView.class))
                .filter(event -> event.event().equals("session began"))
                .toList();
        assertEquals(hung.pid(), begun.get(0).details().get("pid"));
        assertTrue(
                watching.lines().stream()
                        .map(l -> Json.read(l, EventView.class))
                        .anyMatch(event -> event.event().equals("slots changed")
                                && event.details()
                                        .equals(Map.of("tag", 1L, "added", 1L, "fetched", 0L, "deleted", 0L))),
                () -> watching.lines().toString());
    }

    /** What is held stays open until it is really closed, and not longer. */
    @Test
    void slotsOfManyKinds() throws Exception {
        FileDescriptor[] pipe = FileDescriptor.pipe();
        long before = daemon.warmUp();
        try (TestFiles files = new TestFiles(directory.resolve("files"), 1);
                TestConnection tcp = TestConnection.tcp();
                TestConnection unix = TestConnection.unix(directory.resolve("c"));
                BlockingEscrow escrow = daemon.connect()) {
            escrow.add(TAG, 0, tcp.server(), new byte[0]);
            escrow.add(TAG, 1, unix.server(), new byte[0]);
            escrow.add(TAG, 2, files.get(0), new byte[100]);
            escrow.add(TAG, 3, pipe[0], new byte[0]);
            escrow.add(TAG, 4, new byte[5]);
            tcp.peerSends(new byte[1_000]);
            tcp.server().close();
            unix.server().close();

            List<SlotView> slots = TestOperator.readLines(SlotView.class, "ls", "--json", path);
            assertEquals(
                    List.of("tcp", "unix", "file", "pipe", "none"),
                    slots.stream().map(SlotView::kind).toList());
            assertEquals(1_000, slots.get(0).unread());
            assertEquals(ProcessHandle.current().pid(), slots.get(4).pid());
            assertTable(TestOperator.runAt(daemon.path(), 0, "ls", "1"));
            SlotDetails details = TestOperator.read(SlotDetails.class, "show", "--json", path, "1", "0");
            assertEquals("", details.descriptor().get("also open in"));
        } finally {
            pipe[0].close();
            pipe[1].close();
        }
        empty();
        daemon.awaitDescriptors(before);
    }

    private static void assertTable(List<String> lines) {
        assertEquals(6, lines.size(), lines::toString);
        assertTrue(lines.get(0).matches("TAG +INDEX +KIND +LOCAL +PEER +STATE .*"), lines.get(0));
        assertTrue(
                lines.get(1).matches(" *1 +0 +tcp +127.0.0.1:\\d+ +127.0.0.1:\\d+ +ESTABLISHED +1000 .*"),
                lines.get(1));
    }

    @Test
    void slotIsClosedAfterAsking() throws Exception {
        try (TestConnection tcp = TestConnection.tcp()) {
            try (BlockingEscrow escrow = daemon.connect()) {
                escrow.add(TAG, 0, tcp.server(), new byte[0]);
                escrow.add(TAG, 1, new byte[0]);
                tcp.server().close();
            }
            assertEquals(5, answer("n", "del", path, "1", "0"));
            TestOperator.runAt(daemon.path(), 5, "del", "1", "0");
            assertEquals(Set.of(0, 1), daemon.used(TAG));

            assertEquals(0, answer("y", "del", path, "1", "0"));
            assertEquals(0, tcp.peerReadsToTheEnd().length);
            SlotKey deleted = TestOperator.read(SlotKey.class, "del", "--yes", "--json", path, "1", "1");
            assertEquals(new SlotKey(TAG, 1), deleted);
            assertEquals(Set.of(), daemon.used(TAG));
            daemon.awaitLine(line -> line.contains("slot removed by operator"), "slot removed by operator");
        }
    }

    /** Answers the question of a command, and returns how it ends. */
    private static int answer(String answer, String... arguments) throws IOException {
        try (TestProcess asking = TestOperator.start(arguments)) {
            asking.say(answer);
            int exitCode = asking.awaitExit();
            assertTrue(
                    asking.lines().get(0).startsWith("close slot 1/0, tcp 127.0.0.1:"),
                    () -> asking.lines().toString());
            return exitCode;
        }
    }

    @Test
    void nobodyAnswers() throws Exception {
        Path none = Files.createDirectory(directory.resolve("none"));
        assertFails(3, "there is no socket", "status", none.resolve("s").toString());
        assertFails(1, "ENOENT: there is no session", "evict", path);
        assertFails(2, "'x' is not a number", "show", path, "1", "x");
        try (TestDaemon dying = TestDaemon.start(none);
                TestProcess watching = TestOperator.start("watch", dying.path().toString())) {
            watching.awaitLine(line -> line.endsWith("  watching"), "watching");
            dying.kill();
            assertEquals(3, watching.awaitExit(), () -> watching.lines().toString());
            assertFails(3, "no escrowd listens on", "status", dying.path().toString());
        }
    }

    private static void assertFails(int exitCode, String text, String... arguments) throws IOException {
        List<String> lines = TestOperator.run(exitCode, arguments);
        assertEquals(1, lines.size(), lines::toString);
        assertTrue(lines.get(0).startsWith("escrowd ctl " + arguments[0] + ": "), lines::toString);
        assertTrue(lines.get(0).contains(text), lines::toString);
    }

    /** Neither where the mode lets everybody connect, nor where it does not. */
    @Test
    void strangersAreNotLetIn() throws Exception {
        Path jar = TestOperator.jarForNobody(directory);
        assumeTrue(jar != null, "only root becomes somebody else, who must be able to read temporary files");
        List<String> refused = TestOperator.runAsNobody(jar, 4, "evict", path);
        assertTrue(refused.get(0).matches("escrowd ctl evict: EACCES: uid 65534, .*: no access"), refused::toString);

        Path control = SocketPath.control(daemon.path());
        Files.setPosixFilePermissions(control, PosixFilePermissions.fromString("rw-------"));
        List<String> kept = TestOperator.runAsNobody(jar, 4, "status", path);
        assertTrue(kept.get(0).contains("EACCES: no permission to connect to \"" + control + "\""), kept::toString);
    }
}
