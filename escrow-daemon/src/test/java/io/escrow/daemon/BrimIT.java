package io.escrow.daemon;

import static io.escrow.daemon.RawClient.addWithDescriptor;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.BulkResult;
import io.escrow.Deposit;
import io.escrow.EscrowException;
import io.escrow.SlotInfo;
import io.escrow.Status;
import io.escrow.client.BlockingEscrow;
import io.escrow.daemon.RawClient.Answer;
import io.escrow.testing.TestProcess;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Daemons that are filled to the brim of what their process may have: they say so, and lose nothing. */
class BrimIT {

    private static final int TAG = 1;
    private static final Pattern FULL = Pattern.compile("([\\d,]+) of \\1 (.*) held");

    @TempDir
    Path directory;

    @AutoClose
    private TestFiles files;

    @BeforeEach
    void openFiles() throws IOException {
        files = new TestFiles(directory.resolve("files"), 1_000);
    }

    private TestDaemon start(String shell, String... java) throws IOException {
        Path socket = directory.resolve("s");
        List<String> command = new ArrayList<>(List.of("bash", "-c", shell + "; exec \"$@\"", "bash"));
        command.addAll(List.of(TestProcess.JAVA, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
        command.addAll(List.of(java));
        command.addAll(List.of("-jar", System.getProperty("escrowd.jar"), socket.toString()));
        return TestDaemon.start(socket, new ProcessBuilder(command));
    }

    /** Returns how many are held, as the refusal of one more says. */
    private static int refused(Status status, String what, EscrowException refusal) {
        assertEquals(status, refusal.status());
        Matcher full = FULL.matcher(refusal.text());
        assertTrue(full.matches() && full.group(2).equals(what), refusal::text);
        return Integer.parseInt(full.group(1).replace(",", ""));
    }

    private static int refused(Status status, String what, BulkResult result) {
        result.failures().values().forEach(refusal -> refused(status, what, refusal));
        return refused(status, what, result.failures().values().iterator().next());
    }

    @Test
    void descriptors() throws IOException {
        try (TestDaemon daemon = start("ulimit -n 300")) {
            long before = daemon.warmUp();
            int held;
            try (BlockingEscrow escrow = daemon.connect()) {
                BulkResult result = escrow.addAll(files.deposits(TAG, 0, 1_000));
                held = result.succeeded();
                assertEquals(held, refused(Status.EMFILE, "descriptors", result));
                assertTrue(held > 100 && held < 236, "held: " + held);
                assertEquals(1_000 - held, result.failures().size());
                daemon.awaitDescriptors(before + held + TestDaemon.SESSION);
            }
            assertEquals(held, daemon.verifyFiles(TAG, files));
            wholePacketsAtTheLimit(daemon, held);
            daemon.awaitDescriptors(before + held);
            assertEquals(held, daemon.verifyFiles(TAG, files));
            try (BlockingEscrow escrow = daemon.connect()) {
                // What takes no more than there is, goes on.
                escrow.add(TAG, 0, files.get(0), TestFiles.payload(0));
                escrow.add(TAG, 999, new byte[0]);
                escrow.delete(TAG, 999);
                escrow.delete(TAG, 1);
                escrow.add(TAG, 1, files.get(1), TestFiles.payload(1));
                assertEquals(
                        held,
                        refused(
                                Status.EMFILE,
                                "descriptors",
                                assertThrows(
                                        EscrowException.class,
                                        () -> escrow.add(TAG, 999, files.get(999), new byte[0]))));
            }
            assertEquals(held, daemon.verifyFiles(TAG, files));
            empty(daemon);
        }
    }

    private static void empty(TestDaemon daemon) throws IOException {
        try (BlockingEscrow escrow = daemon.connect()) {
            escrow.deleteAll(escrow.list(TAG).stream().map(SlotInfo::key).iterator())
                    .orThrow();
            assertEquals(0, escrow.tag(TAG).used());
        }
    }

    /** As many descriptors as a packet may bring come at the limit, while as many wait to be fetched. */
    private void wholePacketsAtTheLimit(TestDaemon daemon, int held) throws IOException {
        try (RawClient client = RawClient.connect(daemon.path())) {
            int packet = client.greet().body().getInt(8 + 3 * 4);
            List<FileDescriptor> descriptors =
                    IntStream.range(0, packet).mapToObj(i -> files.get(i)).toList();
            byte[][] adds = IntStream.range(held, held + packet)
                    .mapToObj(i -> addWithDescriptor(TAG, i, TestFiles.payload(i)))
                    .toArray(byte[][]::new);
            for (int round = 0; round < 5; round++) {
                client.packet(Collections.nCopies(packet, RawClient.request(RawClient.GET, TAG, 0))
                        .toArray(byte[][]::new));
                client.packet(descriptors, adds);
                RawClient.Packet fetched = client.receive();
                for (int number : fetched.descriptors()) {
                    assertTrue(files.is(0, number));
                    new FileDescriptor(number).close();
                }
                assertEquals(packet, fetched.descriptors().size());
                for (Answer answer : client.receive().answers()) {
                    assertEquals(Status.EMFILE.errno(), answer.errno());
                    assertTrue(FULL.matcher(answer.text()).matches(), answer::text);
                }
            }
        }
    }

    private Iterator<Deposit> deposits(int tag, int count, int payload) {
        return IntStream.range(0, count)
                .mapToObj(i -> new Deposit(tag, i, files.get(i % 1_000), filled(payload, i)))
                .iterator();
    }

    private static byte[] filled(int length, int with) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) with);
        return bytes;
    }

    /** Slots, payload and descriptors all at their limit in a small heap, again and again. */
    @Test
    void memory() throws IOException {
        try (TestDaemon daemon = start("ulimit -n 20000", "-Xmx32m")) {
            int slots;
            try (BlockingEscrow escrow = daemon.connect()) {
                BulkResult result = escrow.addAll(deposits(TAG, 10_000, 0));
                slots = result.succeeded();
                assertEquals(slots, refused(Status.ENOSPC, "slots", result));
                assertTrue(slots > 5_000, "slots: " + slots);
            }
            for (int round = 0; round < 3; round++) {
                try (BlockingEscrow escrow = daemon.connect()) {
                    fill(escrow, slots, 32 * 1024 - round);
                    check(escrow, slots);
                }
            }
            empty(daemon);
            assertTrue(
                    daemon.lines().stream().noneMatch(line -> line.contains("OutOfMemory")),
                    () -> daemon.lines().toString());
        }
    }

    /** Replaces payloads by large ones until nothing more goes in, and fills what is left with a small one. */
    private static void fill(BlockingEscrow escrow, int slots, int length) throws EscrowException {
        for (int i = 0; i < slots; i++) {
            escrow.update(TAG, i, new byte[0]);
        }
        EscrowException full = null;
        int payload = length;
        for (int i = 0; i < slots && payload > 0; i++) {
            try {
                escrow.update(TAG, i, filled(payload, i));
            } catch (EscrowException e) {
                assertEquals(Status.ENOSPC, e.status());
                assertTrue(e.text().endsWith(" payload bytes held"), e::text);
                full = e;
                payload /= 2;
                i--;
            }
        }
        assertNotNull(full, "the payload limit was not reached");
    }

    private void check(BlockingEscrow escrow, int slots) throws EscrowException {
        List<Integer> wrong = new ArrayList<>();
        int got = escrow.getAll(TAG, entry -> {
                    try (entry) {
                        byte[] payload = entry.payload();
                        if (!Arrays.equals(filled(payload.length, entry.index()), payload) || !entry.hasDescriptor()) {
                            wrong.add(entry.index());
                        }
                    }
                })
                .orThrow()
                .succeeded();
        assertEquals(List.of(), wrong);
        assertEquals(slots, got);
    }

    @Test
    void moreThanThereIs() throws IOException {
        TestProcess descriptors = TestDaemon.run(
                new ProcessBuilder(bounded("ulimit -n 300", "--max-descriptors=300", "--packet-descriptors=10")));
        assertEquals(1, descriptors.awaitExit());
        assertEquals(
                List.of("escrowd: EMFILE: descriptors: 300 (expected: <= 216: of 300 open files allowed, 84 are kept in"
                        + " reserve; see ulimit -n)"),
                descriptors.lines());
        TestProcess payload = TestDaemon.run(new ProcessBuilder(bounded("true", "--max-bytes=10000000000000")));
        assertEquals(1, payload.awaitExit());
        assertTrue(
                payload.lines().get(0).contains("with 10,000,000,000,000 payload bytes"),
                () -> payload.lines().toString());
    }

    private List<String> bounded(String shell, String... options) {
        List<String> command = new ArrayList<>(List.of("bash", "-c", shell + "; exec \"$@\"", "bash"));
        command.addAll(TestDaemon.command(options));
        command.add(directory.resolve("s").toString());
        return command;
    }
}
