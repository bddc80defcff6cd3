package io.escrow.daemon;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.util.ContextInitializer;
import io.escrow.SocketPath;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.control.Json;
import io.escrow.control.SessionView;
import io.escrow.control.SlotDetails;
import io.escrow.control.SlotView;
import io.escrow.control.StatusView;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.kernel.Accounts;
import io.escrow.daemon.main.Escrowd;
import io.escrow.testing.TestConnection;
import io.netty.channel.unix.FileDescriptor;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.slf4j.LoggerFactory;

/** The commands for operators: what they print, and how they end. */
class CtlTest {

    private static final Duration TIME = Duration.ofSeconds(30);

    private final InputStream realIn = System.in;
    private final PrintStream realOut = System.out;
    private final PrintStream realErr = System.err;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @TempDir
    Path directory;

    private Path path;
    private EscrowDaemon daemon;

    @BeforeEach
    void start() throws IOException {
        path = directory.resolve("s");
        daemon = EscrowDaemon.start(DaemonOptions.of(path.toString()));
        System.setOut(new PrintStream(out, true, UTF_8));
        System.setErr(new PrintStream(err, true, UTF_8));
    }

    @AfterEach
    void stop() {
        System.setIn(realIn);
        System.setOut(realOut);
        System.setErr(realErr);
        daemon.close();
    }

    /** Each command has set up the log of this process as if it were its own. */
    @AfterAll
    static void setUpLogAgain() throws Exception {
        LoggerContext context = (LoggerContext) LoggerFactory.getILoggerFactory();
        context.reset();
        new ContextInitializer(context).autoConfig(CtlTest.class.getClassLoader());
    }

    private BlockingEscrow connect() throws IOException {
        return EscrowClient.builder().path(path.toString()).connectTimeout(TIME).connectBlocking(TIME);
    }

    /** Runs a command whose arguments are separated by spaces, S being the path; returns how it ends. */
    private int run(String command) {
        out.reset();
        err.reset();
        List<String> arguments = new ArrayList<>(List.of("ctl"));
        Arrays.stream(command.split(" ", -1))
                .map(argument -> argument.replaceFirst("^S", path.toString()))
                .forEach(arguments::add);
        return Escrowd.run(arguments.toArray(String[]::new));
    }

    private <T> T read(String command, Class<T> type) {
        assertEquals(0, run(command), this::errors);
        return Json.read(out.toString(UTF_8), type);
    }

    private List<String> print(String command) {
        assertEquals(0, run(command), this::errors);
        return out.toString(UTF_8).lines().toList();
    }

    private String errors() {
        return err.toString(UTF_8);
    }

    @Test
    void status() throws IOException {
        try (BlockingEscrow escrow = connect()) {
            escrow.add(3, 7, new byte[9]);
            List<String> lines = print("status S");

            assertTrue(lines.get(0).contains(" at " + path + ", process "), lines::toString);
            long pid = ProcessHandle.current().pid();
            assertTrue(lines.get(1).startsWith("session: process " + pid + " ("), lines::toString);
            assertTrue(lines.contains("tag  slots  descriptors  payload bytes"), lines::toString);
            assertTrue(lines.contains("  3      1            0              9"), lines::toString);
            assertTrue(lines.contains("requests add: 1 OK"), lines::toString);
            assertEquals(1, read("status --json S", StatusView.class).slots());
        }
    }

    @Test
    void listOfManyKinds() throws IOException {
        FileDescriptor[] pipe = FileDescriptor.pipe();
        try (TestFiles files = new TestFiles(directory.resolve("f"), 1);
                TestConnection tcp = TestConnection.tcp();
                TestConnection unix = TestConnection.unix(directory.resolve("c"));
                BlockingEscrow escrow = connect()) {
            escrow.add(1, 0, tcp.server(), new byte[0]);
            escrow.add(1, 1, unix.server(), new byte[0]);
            escrow.add(2, 2, files.get(0), new byte[1_234]);
            escrow.add(2, 3, pipe[0], new byte[0]);
            escrow.add(2, 4, new byte[1]);
            tcp.server().close();
            unix.server().close();

            List<String> lines = print("ls S");
            assertEquals(
                    "TAG INDEX KIND LOCAL PEER STATE UNREAD UNSENT PAYLOAD AGE STORED BY LISTENER ORIGIN",
                    lines.get(0).replaceAll(" +", " "));
            assertTrue(lines.get(1)
                    .matches(" *1 +0 +tcp +127\\.0\\.0\\.1:\\d+ +127\\.0\\.0\\.1:\\d+ +ESTABLISHED +0 +0 .*"));
            assertTrue(lines.get(2).matches(" *1 +1 +unix +" + directory + "/c +pid \\d+ +CONNECTED +- +- +0 .*"));
            assertTrue(lines.get(3).matches(" *2 +2 +file +.*/f0 +- +- +- +- +1234 +0\\.\\d s +\\d+ +- +-"));
            assertTrue(lines.get(4).matches(" *2 +3 +pipe +pipe:\\[\\d+\\] .*"));
            assertTrue(lines.get(5).matches(" *2 +4 +none +- +- .*"));
            assertEquals(4, print("ls S 2").size());
            assertEquals(
                    List.of("tcp", "unix", "file", "pipe", "none"),
                    print("ls --json S").stream()
                            .map(line -> Json.read(line, SlotView.class).kind())
                            .toList());
        } finally {
            pipe[0].close();
            pipe[1].close();
        }
    }

    @Test
    void show() throws IOException {
        try (BlockingEscrow escrow = connect()) {
            escrow.add(1, 2, "hello\33[31m".getBytes(UTF_8));
        }
        List<String> lines = print("show S 1 2");

        assertEquals("slot            1/2", lines.get(0));
        assertTrue(lines.contains("kind            none"), lines::toString);
        assertTrue(lines.contains("payload         10 bytes"), lines::toString);
        assertTrue(
                lines.stream().anyMatch(line -> line.contains("68 65 6c 6c 6f") && line.contains("hello.[31m")),
                lines::toString);
        assertEquals(
                "aGVsbG8bWzMxbQ==", read("show --json S 1 2", SlotDetails.class).payload());
    }

    @ParameterizedTest
    @CsvSource({"y, 0", "YES, 0", "n, 5", "'', 5", "yo, 5", "EOF, 5"})
    void deleteAfterAsking(String answer, int status) throws IOException {
        try (BlockingEscrow escrow = connect()) {
            escrow.add(1, 2, new byte[3]);
        }
        System.setIn(new ByteArrayInputStream((answer.equals("EOF") ? "" : answer + "\n").getBytes(UTF_8)));

        assertEquals(status, run("del S 1 2"));
        assertTrue(errors().contains("close slot 1/2, none, 3 bytes of payload? [y/N] "), this::errors);
        assertEquals(status == 0 ? 1 : 0, run("show S 1 2"));
    }

    /** The slot is emptied and filled by its server while the operator thinks. */
    @Test
    void deleteOnlyWhatWasShown() throws IOException {
        try (BlockingEscrow escrow = connect()) {
            escrow.add(1, 2, new byte[3]);
            System.setIn(new ByteArrayInputStream("y\n".getBytes(UTF_8)) {
                @Override
                public synchronized int read(byte[] buffer, int offset, int length) {
                    try {
                        escrow.add(1, 2, new byte[4]);
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                    return super.read(buffer, offset, length);
                }
            });
            assertEquals(1, run("del S 1 2"));
            assertTrue(
                    errors().matches(
                                    "(?s).*ENOENT: slot 1/2 was filled anew: it holds filling \\d+ \\(expected: 1\\).*"),
                    this::errors);
            long filling = read("show --json S 1 2", SlotDetails.class).slot().filling();
            escrow.update(1, 2, new byte[5]);

            assertEquals(1, run("del --yes --filling " + (filling + 1) + " S 1 2"));
            assertEquals(5, read("show --json S 1 2", SlotDetails.class).slot().payloadBytes());
            assertTrue(print("show S 1 2").contains("filling         " + filling));
            assertEquals(0, run("del --yes --filling " + filling + " S 1 2"));
            assertEquals(0, escrow.tag(1).used());
        }
    }

    @Test
    void deleteWithoutAsking() throws IOException {
        try (BlockingEscrow escrow = connect()) {
            escrow.add(1, 2, new byte[3]);
        }
        System.setIn(InputStream.nullInputStream());

        assertEquals(List.of("{\"tag\":1,\"index\":2}"), print("del --yes --json S 1 2"));
        assertEquals(1, run("del -y S 1 2"));
        assertTrue(errors().contains("escrowd ctl del: ENOENT: slot 1/2 is empty"), this::errors);
        assertEquals(1, run("del S 1 2"));
    }

    @Test
    void evict() throws IOException {
        try (BlockingEscrow escrow = connect()) {
            escrow.add(1, 2, new byte[0]);
            assertTrue(
                    print("evict S").get(0).matches("ended the session of process \\d+ \\(.+\\) after \\d+\\.\\d s"));
        }
        try (BlockingEscrow escrow = connect()) {
            assertEquals(1, escrow.tag(1).used());
            assertEquals(
                    Accounts.ownUser(),
                    read("evict --json S", SessionView.class).uid());
        }
        await().until(() -> run("evict S") == 1);
        assertTrue(errors().contains("escrowd ctl evict: ENOENT: there is no session"), this::errors);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            nonsense S    | 2 | escrowd ctl: 'nonsense' is no command (expected: status, ls, show, evict, upgrade, del, watch, metrics)
            status S 1    | 2 | arguments after PATH: 1 (expected: none)
            ls S 1 2      | 2 | arguments after PATH: 2 (expected: [TAG])
            ls S x        | 2 | 'x' is not a number (expected: [TAG])
            show S 1      | 2 | arguments after PATH: 1 (expected: TAG INDEX)
            show S 1 -2   | 2 | '-2' is not a number (expected: TAG INDEX)
            del S         | 2 | arguments after PATH: 0 (expected: TAG INDEX)
            del 1 S       | 2 |
            evict S 1     | 2 | arguments after PATH: 1 (expected: none)
            ls --colour S | 2 | Unknown option: '--colour'
            ls S 32       | 1 | EINVAL: tag: 32 (expected: 0..31)
            show S 0 0    | 1 | escrowd ctl show: ENOENT: slot 0/0 is empty
            del -y S 0 0  | 1 | escrowd ctl del: ENOENT: slot 0/0 is empty
            del S 0 0     | 1 | escrowd ctl del: ENOENT: slot 0/0 is empty
            show S 99999999999 1 | 1 | EINVAL: tag: 99999999999 (expected: 0..31)
            show S 0 2147483648 | 1 | EINVAL: index: 2147483648 (expected: 0..2147483647)
            del -y --filling 0 S 0 0 | 1 | EINVAL: filling: 0 (expected: 1..9223372036854775807)
            del -y --filling x S 0 0 | 2 | Invalid value for option '--filling': 'x' is not a long
            status S.lock | 3 | ECONNREFUSED: not a socket:
            status S2     | 3 | ECONNREFUSED: no escrowd: there is no socket "
            status S/x/y  | 3 | ECONNREFUSED: no such directory for the socket:
            """)
    void endsWithStatus(String command, int status, String text) {
        assertEquals(status, run(command), this::errors);

        assertTrue(errors().contains("escrowd ctl"), this::errors);
        assertTrue(text == null || errors().contains(text), this::errors);
        assertEquals("", out.toString(UTF_8));
    }

    @Test
    void daemonThatIsGone() throws IOException {
        Path control = Files.move(SocketPath.control(path), directory.resolve("kept"));
        Files.move(path, directory.resolve("kept2"));
        daemon.close();
        Files.move(control, SocketPath.control(path));

        assertEquals(3, run("status S"));
        assertTrue(errors().contains("no escrowd listens on \"" + SocketPath.control(path) + "\""), this::errors);
    }

    @Test
    void argumentOfDigitsIsNeverPath() {
        assumeTrue(System.getenv(SocketPath.ENVIRONMENT) == null, "a path is in the environment");

        assertEquals(2, run("ls 5"));
        assertTrue(errors().contains("no path of a socket: give one, or set ESCROW_PATH"), this::errors);
        assertEquals(3, run("ls ./5"));
        assertEquals(2, run("ls 5 5"));
    }

    /** Such that the path of the control socket is too long for an address. */
    @ParameterizedTest
    @CsvSource({"103", "104", "107"})
    void longPath(int length) throws IOException {
        daemon.close();
        path = directory.resolve("x".repeat(length - directory.toString().length() - 1));
        assertEquals(length, path.toString().length());
        daemon = EscrowDaemon.start(DaemonOptions.of(path.toString()));

        assertEquals(path.toString(), read("status --json S", StatusView.class).path());
    }

    @Test
    void metrics() {
        List<String> lines = print("metrics S");

        assertTrue(lines.contains("# TYPE escrowd_sessions_total counter"), lines::toString);
        assertTrue(lines.contains("escrowd_waiting_clients 0.0"), lines::toString);
    }
}
