package io.escrow.daemon.main;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.daemon.NotifySocket;
import io.netty.channel.DefaultEventLoop;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SystemdNotifierTest {

    private static final long PID = 17;

    @TempDir
    Path directory;

    /** Its event loop has a clock of its own. */
    private final EmbeddedChannel channel = new EmbeddedChannel();

    private NotifySocket systemd;
    private String name;
    private String status = "one";

    @BeforeEach
    void listen() throws IOException {
        channel.freezeTime();
        name = directory.resolve("notify").toString();
        systemd = new NotifySocket(name);
    }

    @AfterEach
    void close() throws IOException {
        systemd.close();
        assertTrue(!channel.finish());
    }

    private void begin(Map<String, String> environment) throws EscrowException {
        SystemdNotifier.of(environment, PID).begin(channel.eventLoop(), () -> status);
        channel.runPendingTasks();
    }

    /** systemd takes another process for the service when the one that is it says so. */
    @Test
    void namesTheProcessThatServesInPlaceOfThisOne() throws Exception {
        SystemdNotifier notifier = SystemdNotifier.of(Map.of("NOTIFY_SOCKET", name), PID);
        DefaultEventLoop loop = new DefaultEventLoop();
        try {
            notifier.handOver(loop, 4711);
            assertEquals("MAINPID=4711\nREADY=1\nWATCHDOG=1", systemd.poll());
            notifier.handOver(loop, 0);
            assertNull(systemd.poll());
        } finally {
            loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
        }
    }

    private void pass(long seconds) {
        channel.advanceTimeBy(seconds, TimeUnit.SECONDS);
        channel.runScheduledPendingTasks();
    }

    @Test
    void tellsThatItIsReadyAndThenWhatChanges() throws IOException {
        begin(Map.of("NOTIFY_SOCKET", name));
        assertEquals("READY=1\nSTATUS=one", systemd.poll());

        pass(5);
        assertNull(systemd.poll());
        status = "two";
        pass(4);
        status = "three";
        assertNull(systemd.poll());
        pass(1);
        assertEquals("STATUS=three", systemd.poll());
        pass(5);
        assertNull(systemd.poll());
    }

    @Test
    void findsAbstractName() throws IOException {
        String given = "@escrow-" + UUID.randomUUID();
        try (NotifySocket abstractOne = new NotifySocket(given)) {
            begin(Map.of("NOTIFY_SOCKET", given));

            assertEquals("READY=1\nSTATUS=one", abstractOne.poll());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "17"})
    void givesSignOfLifeTwiceInTheTimeOfTheWatchdog(String pid) throws IOException {
        begin(
                pid.isEmpty()
                        ? Map.of("NOTIFY_SOCKET", name, "WATCHDOG_USEC", "4000000")
                        : Map.of("NOTIFY_SOCKET", name, "WATCHDOG_USEC", "4000000", "WATCHDOG_PID", pid));
        assertEquals("READY=1\nSTATUS=one", systemd.poll());

        pass(0);
        assertEquals("WATCHDOG=1", systemd.poll());
        pass(1);
        assertNull(systemd.poll());
        pass(1);
        assertEquals("WATCHDOG=1", systemd.poll());
        pass(2);
        assertEquals("WATCHDOG=1", systemd.poll());
        assertNull(systemd.poll());
    }

    @Test
    void leavesTheWatchdogOfAnotherProcessAlone() throws IOException {
        begin(Map.of("NOTIFY_SOCKET", name, "WATCHDOG_USEC", "1000000", "WATCHDOG_PID", "18"));
        systemd.poll();

        pass(1);
        assertNull(systemd.poll());
    }

    @Test
    void goesOnWhenSystemdCannotBeTold() throws IOException {
        systemd.close();
        begin(Map.of("NOTIFY_SOCKET", name, "WATCHDOG_USEC", "2000000"));
        pass(1);

        Path again = Path.of(name);
        again.toFile().delete();
        systemd = new NotifySocket(name);
        pass(1);
        assertEquals("WATCHDOG=1", systemd.poll());
    }

    /** While there is no event loop that serves; of a text that may come from another process. */
    @Test
    void tellsWhyItWaits() throws Exception {
        SystemdNotifier notifier = SystemdNotifier.of(Map.of("NOTIFY_SOCKET", name, "WATCHDOG_USEC", "60000000"), PID);
        notifier.await("not\nREADY=1 " + "x".repeat(2_000));
        assertEquals("STATUS=not READY=1 " + "x".repeat(188) + "...", next());
        assertEquals("WATCHDOG=1", next());
    }

    private String next() {
        return Awaitility.await().atMost(Duration.ofSeconds(30)).until(systemd::poll, text -> text != null);
    }

    @Test
    void tellsWhatIsDroppedAtTheEnd() throws Exception {
        SystemdNotifier notifier = SystemdNotifier.of(Map.of("NOTIFY_SOCKET", name), PID);
        DefaultEventLoop loop = new DefaultEventLoop();
        try {
            notifier.end(loop, () -> "dropped: slots: 3");
        } finally {
            loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
        }

        assertEquals("STOPPING=1\nSTATUS=stopping; dropped: slots: 3", systemd.poll());
    }

    @Test
    void saysNothingWhenNobodyAsks() throws EscrowException {
        begin(Map.of("WATCHDOG_USEC", "1000000"));

        assertTrue(!channel.hasPendingTasks());
        assertEquals(-1, channel.runScheduledPendingTasks());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            vsock:2:1 | 1 | 17 | NOTIFY_SOCKET: "vsock:2:1" (expected: a path, or @ and an abstract name, of at most 108 bytes)
            /n        | 0 | 17 | WATCHDOG_USEC: "0" (expected: 1..9223372036854775807)
            /n        | 1 | me | WATCHDOG_PID: "me" (expected: 1..9223372036854775807)
            """)
    void namesTheValueThatIsWrong(String socket, String micros, String pid, String text) {
        Map<String, String> environment = Map.of("NOTIFY_SOCKET", socket, "WATCHDOG_USEC", micros, "WATCHDOG_PID", pid);

        EscrowException e = assertThrows(EscrowException.class, () -> SystemdNotifier.of(environment, PID));
        assertEquals(text, e.text());
    }
}
