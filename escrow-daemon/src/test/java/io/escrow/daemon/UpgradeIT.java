package io.escrow.daemon;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.SlotKey;
import io.escrow.SocketPath;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.control.StatusView;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Another daemon takes the place of one that serves. {@code -Descrow.upgrade.kills} says how many takeovers are disturbed at
 * random.
 */
class UpgradeIT {

    private static final int TAG = 1;
    private static final int KILLS = Integer.getInteger("escrow.upgrade.kills", 1);
    private static final long SEED = Long.getLong("escrow.upgrade.seed", new Random().nextLong());

    @TempDir
    Path directory;

    @AutoClose
    private TestFiles files;

    @BeforeEach
    void makeFiles() throws IOException {
        files = new TestFiles(directory.resolve("files"), 300);
    }

    private ReplacedDaemon start(String... options) throws IOException {
        return ReplacedDaemon.start(directory, List.of(), options);
    }

    private static StatusView status(ReplacedDaemon daemon) throws IOException {
        return Operator.ask(daemon.path(), "GET /status").read(StatusView.class);
    }

    @Test
    void everythingGoesOn() throws Exception {
        try (ReplacedDaemon daemon = start("--metrics=0")) {
            BlockingEscrow escrow = daemon.first().connect();
            escrow.addAll(files.deposits(TAG, 0, 300)).orThrow();
            escrow.add(TAG, 1000, new byte[] {1, 2, 3});
            CompletableFuture<EscrowClient> next = daemon.first().client().connect();
            await().atMost(TestDaemon.TIMEOUT).until(() -> status(daemon).waiting() == 1);
            StatusView before = status(daemon);
            int port = metricsPort(daemon);

            daemon.upgrade();
            daemon.upgrade();

            assertNotEquals(daemon.first().pid(), daemon.serving());
            StatusView after = status(daemon);
            assertEquals(daemon.serving(), after.pid());
            assertEquals(1, after.waiting());
            assertEquals(before.session().requests(), after.session().requests());
            assertTrue(after.session().seconds() >= before.session().seconds());
            assertEquals(before.counters().requests(), after.counters().requests());
            assertEquals(before.counters().sessions(), after.counters().sessions());
            assertEquals(301, after.slots());
            assertEquals(300, after.descriptors());
            try (Socket scrape = new Socket(InetAddress.getLoopbackAddress(), port)) {
                assertTrue(scrape.isConnected());
            }

            escrow.delete(TAG, 1000);
            escrow.add(TAG, 299, files.get(299), TestFiles.payload(299));
            escrow.close();
            next.get(TestProcess.PATIENCE_SECONDS, SECONDS).close();
            assertEquals(300, daemon.first().verifyFiles(TAG, files));
            long serving = daemon.serving();
            assertTrue(ProcessHandle.of(serving).orElseThrow().destroy());
            await().atMost(TestDaemon.TIMEOUT).until(() -> !ReplacedDaemon.isAlive(serving));
            assertFalse(Files.exists(daemon.path()));
            assertFalse(Files.exists(directory.resolve("s.ctl")));
        }
    }

    private static int metricsPort(ReplacedDaemon daemon) {
        return Integer.parseInt(daemon.first()
                .awaitLine(line -> line.contains("serving metrics"), "serving metrics")
                .replaceFirst(".*:(\\d+)\".*", "$1"));
    }

    @Test
    void noDescriptorIsLeaked() throws Exception {
        try (ReplacedDaemon daemon = start()) {
            daemon.upgrade();
            long open = warm(daemon);
            try (BlockingEscrow escrow = daemon.first().connect()) {
                escrow.addAll(files.deposits(TAG, 0, 300)).orThrow();
                daemon.upgrade();
                escrow.deleteAll(IntStream.range(0, 300)
                                .mapToObj(i -> new SlotKey(TAG, i))
                                .iterator())
                        .orThrow();
            }
            assertEquals(0, daemon.first().used(TAG).size());
            await().atMost(TestDaemon.TIMEOUT)
                    .untilAsserted(() -> assertEquals(open, TestProcess.descriptors(daemon.serving())));
        }
    }

    private long warm(ReplacedDaemon daemon) throws IOException {
        daemon.first().used(TAG);
        AtomicInteger same = new AtomicInteger();
        long[] last = {0};
        await().atMost(TestDaemon.TIMEOUT).until(() -> {
            long now = TestProcess.descriptors(daemon.serving());
            same.set(now == last[0] ? same.get() + 1 : 0);
            last[0] = now;
            return same.get() == 3;
        });
        return last[0];
    }

    @Test
    void clientThatHasNotGreeted() throws Exception {
        try (ReplacedDaemon daemon = start();
                RawClient client = RawClient.connect(daemon.path())) {
            daemon.upgrade();
            client.greet();
            assertEquals(
                    0, client.ask(RawClient.add(TAG, 1, new byte[3])).only().errno());
        }
    }

    @Test
    void halfAPacketIsWaitedFor() throws Exception {
        try (ReplacedDaemon daemon = start();
                RawClient client = daemon.first().open()) {
            byte[] add = RawClient.add(TAG, 1, new byte[3]);
            client.bytes(RawClient.prelude(add.length, 0));
            try (TestProcess command = daemon.beginUpgrade()) {
                long successor = daemon.awaitSuccessor();
                client.bytes(java.util.Arrays.copyOf(add, 10));
                assertTrue(ReplacedDaemon.isAlive(successor));
                client.bytes(java.util.Arrays.copyOfRange(add, 10, add.length));
                assertEquals(0, client.receive().only().errno());
                assertEquals(0, command.awaitExit(), () -> command.lines().toString());
                assertEquals(successor, daemon.serving());
            }
            assertEquals(
                    0,
                    client.ask(RawClient.request(RawClient.GET, TAG, 1)).only().index() - 1);
        }
    }

    @Test
    void unreadAnswersAreWaitedFor() throws Exception {
        try (ReplacedDaemon daemon = start();
                RawClient client = daemon.first().open()) {
            byte[] large = new byte[32_000];
            for (int i = 0; i < 8; i++) {
                client.ask(RawClient.add(TAG, i, large));
            }
            byte[][] gets = new byte[64][];
            for (int i = 0; i < gets.length; i++) {
                gets[i] = RawClient.request(RawClient.GET, TAG, i % 8);
            }
            client.packet(gets);
            try (TestProcess command = daemon.beginUpgrade()) {
                long successor = daemon.awaitSuccessor();
                int answers = 0;
                while (answers < gets.length) {
                    answers += client.receive().answers().size();
                }
                assertEquals(0, command.awaitExit(), () -> command.lines().toString());
                assertEquals(successor, daemon.serving());
            }
            assertEquals(
                    0,
                    client.ask(RawClient.request(RawClient.DEL, TAG, 1)).only().errno());
        }
    }

    /** A process ends at a step of the takeover, while a client has many requests under way. */
    @ParameterizedTest
    @CsvSource({
        "successor, synced, old",
        "successor, committed, old",
        "successor, successor-prepared, old",
        "successor, successor-locked, old",
        "successor, successor-serving, old",
        "old, snapshot, none",
        "old, take, none",
        "old, stopped, none",
        "old, commit, new",
        "old, prepared, new",
        "old, released, new"
    })
    void killedAtAStep(String who, String step, String serves) throws Exception {
        try (ReplacedDaemon daemon = ReplacedDaemon.start(directory, List.of("-Descrow.test.step=" + step))) {
            EscrowClient client = files.stored(daemon.first().client(), TAG, 300);
            ChangingLoad load = new ChangingLoad(client, files, 16, 1);
            await().atMost(TestDaemon.TIMEOUT).until(() -> load.changes() > 100);
            try (TestProcess command = daemon.beginUpgrade()) {
                daemon.first().awaitLine("stopped at " + step);
                long successor = daemon.awaitSuccessor();
                int before = load.changes();
                ReplacedDaemon.kill(who.equals("old") ? daemon.first().pid() : successor);
                int exit = command.awaitExit();
                if (serves.equals("none")) {
                    assertEquals(3, exit, () -> command.lines().toString());
                    load.end();
                    await().atMost(TestDaemon.TIMEOUT).until(() -> !ReplacedDaemon.isAlive(successor));
                    load.close();
                    return;
                }
                await().atMost(TestDaemon.TIMEOUT).until(() -> load.changes() > before + 100);
                assertEquals(
                        serves.equals("old") ? 1 : 3,
                        exit,
                        () -> command.lines().toString());
                assertEquals(0, load.end());
                assertEquals(serves.equals("old") ? daemon.first().pid() : successor, daemon.serving());
            }
            BlockingEscrow escrow = client.toBlocking(TestDaemon.TIMEOUT);
            load.check(escrow);
            load.close();
            assertEquals(300, daemon.first().verifyFiles(TAG, files));
        }
    }

    /** The one that serves is told to end when it has stopped for another one already: that one serves. */
    @Test
    void sigtermBehindTheStop() throws Exception {
        try (ReplacedDaemon daemon = ReplacedDaemon.start(directory, List.of("-Descrow.test.step=stopped"))) {
            EscrowClient client = daemon.first()
                    .client()
                    .connect()
                    .orTimeout(TestProcess.PATIENCE_SECONDS, SECONDS)
                    .join();
            ChangingLoad load = new ChangingLoad(client, files, 16, 1);
            await().atMost(TestDaemon.TIMEOUT).until(() -> load.changes() > 100);
            try (TestProcess command = daemon.beginUpgrade()) {
                daemon.first().awaitLine("stopped at stopped");
                long successor = daemon.awaitSuccessor();
                daemon.first().terminate();
                daemon.first().say("go on");
                // Its output does not end: the successor has it, too.
                await().atMost(TestDaemon.TIMEOUT).until(() -> !daemon.first().isAlive());
                command.awaitExit();
                int before = load.changes();
                await().atMost(TestDaemon.TIMEOUT).until(() -> load.changes() > before + 100);
                assertEquals(0, load.end());
                assertEquals(successor, daemon.serving());
            }
            load.check(client.toBlocking(TestDaemon.TIMEOUT));
            load.close();
        }
    }

    /** Either process ends at any moment: the other one has everything then, or does not serve. */
    @Test
    void killedAtRandom() throws Exception {
        Random random = new Random(SEED);
        System.err.println("kills: " + KILLS + ", -Descrow.upgrade.seed=" + SEED);
        for (int i = 0; i < KILLS; i++) {
            Path place = Files.createDirectory(directory.resolve("kill" + i));
            try (ReplacedDaemon daemon = ReplacedDaemon.start(place, List.of())) {
                killOnce(daemon, random);
            } catch (Exception | AssertionError e) {
                throw new AssertionError("-Descrow.upgrade.seed=" + SEED + ", kill " + i, e);
            }
        }
    }

    private void killOnce(ReplacedDaemon daemon, Random random) throws Exception {
        EscrowClient client = files.stored(daemon.first().client(), TAG, 300);
        ChangingLoad load = new ChangingLoad(client, files, random.nextBoolean() ? 16 : 1, random.nextLong());
        boolean near = random.nextBoolean();
        try (TestProcess command = daemon.beginUpgrade()) {
            long successor = daemon.awaitSuccessor();
            long old = daemon.first().pid();
            if (near) {
                // The takeover itself takes a hundredth of the time that a start takes, and may be over by now.
                await().pollDelay(Duration.ZERO)
                        .pollInterval(Duration.ofMillis(1))
                        .atMost(TestDaemon.TIMEOUT)
                        .until(() -> isFollowed(daemon) || !command.isAlive());
            }
            LockSupport.parkNanos(MILLISECONDS.toNanos(random.nextInt(near ? 60 : 3_000)));
            ReplacedDaemon.kill(random.nextBoolean() ? old : successor);
            command.awaitExit();
            await().atMost(TestDaemon.TIMEOUT)
                    .until(() -> !ReplacedDaemon.isAlive(old) || !ReplacedDaemon.isAlive(successor));
            // One that has been killed, or has just handed over, refuses connections before it is gone.
            await().atMost(TestDaemon.TIMEOUT)
                    .ignoreExceptionsInstanceOf(IOException.class)
                    .until(() -> (!ReplacedDaemon.isAlive(old) && !ReplacedDaemon.isAlive(successor))
                            || status(daemon).pid() == daemon.serving());
        }
        if (ReplacedDaemon.isAlive(daemon.serving())) {
            int before = load.changes();
            await().atMost(TestDaemon.TIMEOUT).until(() -> load.changes() > before + 100);
            assertEquals(0, load.end());
            load.check(client.toBlocking(TestDaemon.TIMEOUT));
            load.close();
            assertEquals(300, daemon.first().verifyFiles(TAG, files));
        } else {
            load.end();
            load.close();
        }
    }

    /** Returns whether the lock file's byte behind the lock is taken: a successor is there. */
    private static boolean isFollowed(ReplacedDaemon daemon) throws IOException {
        try (FileChannel lock = FileChannel.open(SocketPath.lockFile(daemon.path()), StandardOpenOption.WRITE);
                FileLock next = lock.tryLock(1L << 62, 1, false)) {
            return next == null;
        }
    }

    @ParameterizedTest
    @ValueSource(ints = 16)
    void underLoad(int inFlight) throws Exception {
        try (ReplacedDaemon daemon = start()) {
            EscrowClient client = daemon.first()
                    .client()
                    .connect()
                    .orTimeout(TestProcess.PATIENCE_SECONDS, SECONDS)
                    .join();
            ChangingLoad load = new ChangingLoad(client, files, inFlight, 2);
            for (int i = 0; i < 2; i++) {
                int before = load.changes();
                daemon.upgrade();
                await().atMost(TestDaemon.TIMEOUT).until(() -> load.changes() > before + 100);
            }
            assertEquals(0, load.end());
            load.check(client.toBlocking(TestDaemon.TIMEOUT));
            load.close();
        }
    }

    @Test
    void failuresLeaveTheOldOneServing() throws Exception {
        try (ReplacedDaemon daemon = start();
                BlockingEscrow escrow = daemon.first().connect()) {
            Path text = Files.writeString(directory.resolve("text.jar"), "no jar");
            fails(daemon, "no such jar", "--jar=" + directory.resolve("none.jar"));
            fails(daemon, "not a jar", "--jar=" + text);
            TestProcess smaller = TestDaemon.run(
                    "--takeover", "--packet-requests=10", daemon.path().toString());
            assertEquals(1, smaller.awaitExit());
            assertTrue(
                    smaller.lines().toString().contains("--packet-requests: 10 (expected: >= 1024"),
                    () -> smaller.lines().toString());
            TestProcess nobody =
                    TestDaemon.run("--takeover", directory.resolve("other").toString());
            assertEquals(1, nobody.awaitExit());
            escrow.add(TAG, 1, new byte[1]);
            assertEquals(daemon.first().pid(), daemon.serving());
            daemon.upgrade();
            escrow.delete(TAG, 1);
        }
    }

    private static void fails(ReplacedDaemon daemon, String text, String option) throws IOException {
        try (TestProcess command = daemon.beginUpgrade(option)) {
            assertEquals(1, command.awaitExit());
            assertTrue(
                    command.lines().toString().contains(text),
                    () -> command.lines().toString());
        }
    }
}
