package io.escrow.daemon.main;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.SocketPath;
import io.escrow.daemon.socket.SocketFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The command line as far as no daemon starts. */
class EscrowdTest {

    private final PrintStream realOut = System.out;
    private final PrintStream realErr = System.err;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @TempDir
    Path directory;

    @BeforeEach
    void capture() {
        System.setOut(new PrintStream(out, true, UTF_8));
        System.setErr(new PrintStream(err, true, UTF_8));
    }

    @AfterEach
    void restore() {
        System.setOut(realOut);
        System.setErr(realErr);
    }

    @ParameterizedTest
    @ValueSource(strings = {"-h", "--help"})
    void printsHelp(String option) {
        assertEquals(0, Escrowd.run(option));

        String help = out.toString(UTF_8);
        assertTrue(help.startsWith("Usage: escrowd "), help);
        for (String name : new String[] {
            "-t, --tags", "-f, --force", "-v, --verbose", "-d, --daemonise", "-h, --help", "--version", "[PATH]"
        }) {
            assertTrue(help.contains(name), name + " is not in " + help);
        }
        assertEquals("", err.toString(UTF_8));
    }

    @Test
    void printsVersion() {
        assertEquals(0, Escrowd.run("--version"));

        assertTrue(out.toString(UTF_8).startsWith("escrowd "), out.toString(UTF_8));
        assertEquals("", err.toString(UTF_8));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            --what              | Unknown option: '--what' (see --help)
            one two             | Unmatched argument at index 1: 'two' (see --help)
            -t                  | Missing required parameter for option '--tags' (N) (see --help)
            -t many             | Invalid value for option '--tags': 'many' is not an int (see --help)
            -t 0                | tags: 0 (expected: 1..65536) (see --help)
            --tags=65537        | tags: 65537 (expected: 1..65536) (see --help)
            --max-payload=-1    | payload: -1 (expected: 0..16777216) (see --help)
            --reap --reap-interval=0 | reap interval: 0 s (expected: >= 1 s) (see --help)
            --unclaimed-timeout=-1 | unclaimed timeout: -1 s (expected: 0..31536000 s) (see --help)
            --max-farewell=65537 | farewell: 65537 (expected: 0..65536) (see --help)
            --max-payload=2147483647 | payload: 2147483647 (expected: 0..16777216) (see --help)
            --max-slots=-1      | slots: -1 (expected: >= 0) (see --help)
            --max-bytes=-1      | payload bytes: -1 (expected: >= 0) (see --help)
            --max-descriptors=-1 | descriptors: -1 (expected: >= 0) (see --help)
            --packet-bytes=100 s | packet bytes: 100 (expected: 33856..67108864) (see --help)
            --packet-descriptors=0 s | descriptors in a packet: 0 (expected: 1..1024) (see --help)
            --packet-requests=0 s | frames in a packet: 0 (expected: 1..65536) (see --help)
            --packets-in-flight=65 s | packets in flight: 65 (expected: 1..64) (see --help)
            --mode=0888         | Invalid value for option '--mode': '0888' is not an octal number (see --help)
            --mode=0444 s       | mode: 444 (expected: 600..777, octal; the owner reads and writes) (see --help)
            --allow-user=nobody-at-all s | no such user: nobody-at-all (see --help)
            --allow-group=nobody-at-all s | no such group: nobody-at-all (see --help)
            --backlog=0 s       | backlog: 0 (expected: >= 1) (see --help)
            --hello-timeout=0   | hello timeout: 0 s (expected: 1..86400 s) (see --help)
            --stall-timeout=-1  | stall timeout: -1 s (expected: 1..86400 s) (see --help)
            --write-timeout=86401 | write timeout: 86401 s (expected: 1..86400 s) (see --help)
            """)
    void saysInOneLineWhatIsWrongWithTheUsage(String args, String text) {
        assertEquals(2, Escrowd.run(args.split(" ", -1)));

        assertEquals("escrowd: " + text + System.lineSeparator(), err.toString(UTF_8));
        assertEquals("", out.toString(UTF_8));
    }

    @Test
    void saysInOneLineThatPathIsTooLong() throws IOException {
        String path = directory.resolve("x".repeat(SocketPath.MAX_LENGTH)).toString();

        assertCannotStart(
                "ENAMETOOLONG: length of the socket's path: " + path.length() + " bytes (expected: <= 107): " + path,
                path);
    }

    @Test
    void saysInOneLineThatDirectoryIsMissing() throws IOException {
        assertCannotStart(
                "ENOENT: no such directory for the socket: " + directory.resolve("no"),
                directory.resolve("no/s").toString());
    }

    @Test
    void saysInOneLineThatPathIsNoSocket() throws IOException {
        Path file = Files.createFile(directory.resolve("file"));

        assertCannotStart("EINVAL: not a socket: " + file, "--force", file.toString());
        Files.delete(file);
    }

    @Test
    void saysInOneLineThatAnotherDaemonServes() throws IOException {
        Path path = directory.resolve("s");
        SocketFile claimed = SocketFile.claim(path, false, Duration.ZERO);
        long pid = ProcessHandle.current().pid();
        // It listens, so that nobody waits for its end.
        try (ServerSocketChannel socket = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            socket.bind(UnixDomainSocketAddress.of(path));
            assertEquals(1, Escrowd.run("--force", path.toString()));
        }
        claimed.close();

        assertEquals(
                "escrowd: EADDRINUSE: escrowd (process " + pid + ") already serves \"" + path + "\""
                        + System.lineSeparator(),
                err.toString(UTF_8));
    }

    private void assertCannotStart(String text, String... args) throws IOException {
        assertEquals(1, Escrowd.run(args));

        assertEquals("escrowd: " + text + System.lineSeparator(), err.toString(UTF_8));
        try (Stream<Path> left = Files.list(directory)) {
            assertTrue(left.noneMatch(file -> file.toString().endsWith(".lock")));
        }
    }
}
