package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.EscrowException;
import io.escrow.client.BlockingEscrow;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the daemon makes of its command line and its surroundings: it listens, or says in one line why not. */
class CommandLineIT {

    private static final int NOBODY = 65534;

    @TempDir
    static Path directory;

    @BeforeAll
    static void letOthersIn() throws IOException {
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private static void assertFails(int exitCode, String text, TestProcess daemon) {
        assertEquals(1, daemon.lines().size(), () -> daemon.lines().toString());
        String line = daemon.lines().get(0);
        assertTrue(line.startsWith("escrowd: ") && line.contains(text), line);
        assertEquals(exitCode, daemon.awaitExit());
    }

    private static String path(String name) {
        return directory.resolve(name).toString();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
            --colour             | Unknown option: '--colour'
            --tags=0             | tags: 0 (expected: 1..65536)
            -t 65537             | tags: 65537 (expected: 1..65536)
            -t many              | 'many' is not an int
            --max-payload=-1     | payload: -1 (expected: 0..16777216)
            --max-slots=x        | 'x' is not an int
            one two              | Unmatched argument at index 1: 'two'
            """)
    void badUsage(String options, String text) throws IOException {
        assertFails(2, text, TestDaemon.run((options + (options.contains("one") ? "" : " s")).split(" ", -1)));
    }

    @Test
    void noPath() throws IOException {
        ProcessBuilder builder = new ProcessBuilder(TestDaemon.command());
        builder.environment().remove("ESCROW_PATH");
        assertFails(2, "no path of a socket: give one, or set ESCROW_PATH", TestDaemon.run(builder));
    }

    /** Java can't name such a file then. */
    @Test
    void pathThatTheLocaleDoesNotHave() throws IOException {
        ProcessBuilder builder = new ProcessBuilder(
                "sh",
                "-c",
                "LC_ALL=C exec \"$0\" -jar \"$1\" \"$2/$(printf '\\303\\251')\"",
                TestProcess.JAVA,
                TestDaemon.JAR,
                directory.toString());
        assertFails(1, "EINVAL: the socket's path has characters that file names can't have", TestDaemon.run(builder));
    }

    @Test
    void helpAndVersion() throws IOException {
        TestProcess help = TestDaemon.run("--help");
        assertEquals(0, help.awaitExit());
        assertTrue(help.lines().stream().anyMatch(line -> line.contains("--daemonise")));
        TestProcess version = TestDaemon.run("--version");
        assertEquals(0, version.awaitExit());
        assertTrue(
                version.lines().get(0).matches("escrowd \\d.*"),
                () -> version.lines().toString());
    }

    /** A path in the directory that is so many bytes long. */
    private static String longPath(int bytes) {
        return path("x".repeat(bytes - path("").length() - 1));
    }

    @Test
    void longestPath() throws IOException {
        Path longest = Path.of(longPath(107));
        assertEquals(107, longest.toString().length());
        try (TestDaemon daemon = TestDaemon.start(longest, new ProcessBuilder(TestDaemon.command(longPath(107))))) {
            daemon.warmUp();
        }
    }

    @Test
    void pathTooLong() throws IOException {
        assertFails(
                1,
                "length of the socket's path: 108 bytes (expected: <= 107): " + longPath(108),
                TestDaemon.run(longPath(108)));
    }

    @Test
    void noDirectory() throws IOException {
        assertFails(1, "no such directory for the socket: " + path("none"), TestDaemon.run(path("none/s")));
    }

    @Test
    void notASocket() throws IOException {
        Files.writeString(Path.of(path("file")), "mine");
        Files.createDirectory(Path.of(path("sub")));
        assertFails(1, "not a socket: " + path("file"), TestDaemon.run("--force", path("file")));
        assertFails(1, "not a socket: " + path("sub"), TestDaemon.run("--force", path("sub")));
        assertEquals("mine", Files.readString(Path.of(path("file"))));
    }

    @Test
    void noPermission() throws IOException {
        boolean root = Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0);
        // Root may write everywhere: be somebody else then, who must be able to read the jar.
        List<String> command = new ArrayList<>();
        if (root) {
            Path jar = Path.of(path("escrowd.jar"));
            Files.copy(Path.of(System.getProperty("escrowd.jar")), jar);
            assumeTrue(mayRead(jar.getParent().getParent()), "nobody else may enter the directory of temporary files");
            command.addAll(List.of("setpriv", "--reuid=" + NOBODY, "--regid=" + NOBODY, "--clear-groups"));
            command.addAll(TestProcess.java("-jar", jar.toString()));
        } else {
            command.addAll(TestDaemon.command());
        }
        Path closed = Files.createDirectory(
                Path.of(path("closed")),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("r-xr-xr-x")));
        command.add(closed.resolve("s").toString());
        assertFails(1, "no permission", TestDaemon.run(new ProcessBuilder(command)));
    }

    private static boolean mayRead(Path directory) throws IOException {
        return Files.getPosixFilePermissions(directory).contains(PosixFilePermission.OTHERS_EXECUTE);
    }

    @Test
    void nativeLibraryMissing() throws IOException {
        List<String> command = TestProcess.java(
                "-Dio.netty.transport.noNative=true", "-jar", System.getProperty("escrowd.jar"), path("native"));
        assertFails(
                1,
                "escrowd needs Linux on x86_64 or aarch64 with Netty's native epoll library",
                TestDaemon.run(new ProcessBuilder(command)));
        assertFalse(Files.exists(Path.of(path("native"))));
    }

    @Test
    void pathFromTheEnvironment() throws IOException {
        Path socket = Path.of(path("environment"));
        ProcessBuilder builder = new ProcessBuilder(TestDaemon.command());
        builder.environment().put("ESCROW_PATH", socket.toString());
        try (TestDaemon daemon = TestDaemon.start(socket, builder)) {
            daemon.warmUp();
        }
    }

    /** Descriptors 0, 1 and 2 are free when the daemon starts; a received one must not get such a number. */
    @ParameterizedTest
    @CsvSource({"0<&-", "0<&- 1>&-", "0<&- 1>&- 2>&-"})
    void standardDescriptorsClosed(String closing) throws IOException {
        Path socket = Path.of(path("closed" + closing.length()));
        List<String> command = new ArrayList<>(List.of("sh", "-c", "exec \"$@\" " + closing, "sh"));
        command.addAll(TestDaemon.command(socket.toString()));
        try (TestFiles files = new TestFiles(directory.resolve("files"), 300);
                TestDaemon daemon = TestDaemon.startSilent(socket, new ProcessBuilder(command))) {
            try (BlockingEscrow escrow = daemon.connect()) {
                assertEquals(
                        300, escrow.addAll(files.deposits(1, 0, 300)).orThrow().succeeded());
            }
            assertEquals(300, daemon.verifyFiles(1, files));
        }
    }

    @Test
    void limits() throws IOException {
        try (TestFiles files = new TestFiles(directory.resolve("files"), 2);
                TestDaemon daemon = TestDaemon.start(
                        directory,
                        "-t",
                        "2",
                        "--max-slots=3",
                        "--max-bytes=9",
                        "--max-payload=8",
                        "--max-descriptors=1")) {
            daemon.warmUp();
            try (BlockingEscrow escrow = daemon.connect()) {
                escrow.add(1, 0, files.get(0), new byte[5]);
                assertRefused("EMSGSIZE: payload length: 9 (expected: <= 8)", () -> escrow.add(1, 1, new byte[9]));
                assertRefused("ENOSPC: 5 of 9 payload bytes held", () -> escrow.add(1, 1, new byte[5]));
                assertRefused("EMFILE: 1 of 1 descriptors held", () -> escrow.add(1, 1, files.get(1), new byte[0]));
                escrow.add(1, 1, new byte[0]);
                escrow.add(0, 0, new byte[0]);
                assertRefused("ENOSPC: 3 of 3 slots held", () -> escrow.add(1, 2, new byte[0]));
                assertRefused("EINVAL: tag: 2 (expected: 0..1)", () -> escrow.add(2, 0, new byte[0]));
                assertEquals(2, escrow.tag(1).used());
                escrow.delete(0, 0);
                escrow.delete(1, 0);
                escrow.delete(1, 1);
            }
        }
    }

    private static void assertRefused(String text, Executable request) {
        Exception refused = assertThrows(EscrowException.class, request);
        assertEquals(text, refused.getMessage());
    }
}
