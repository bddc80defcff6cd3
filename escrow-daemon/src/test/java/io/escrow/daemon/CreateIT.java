package io.escrow.daemon;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.testing.TestProcess;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Daemons that are started in the background, by a client or by themselves: one for a path, and they outlive it. */
class CreateIT {

    private static final int TAG = 1;

    /** The class path of these tests without the daemon. */
    private static final String LIBRARY_ONLY = Arrays.stream(
                    System.getProperty("java.class.path").split(File.pathSeparator, -1))
            .filter(entry -> !entry.matches(".*/escrow-daemon/target/(classes/?|escrow-daemon-[^/]*\\.jar)"))
            .collect(Collectors.joining(File.pathSeparator));

    @TempDir
    Path directory;

    @AutoClose
    private TestFiles files;

    private Path socket;

    @BeforeEach
    void nameSocket() throws IOException {
        files = new TestFiles(directory.resolve("files"), 0);
        socket = directory.resolve("s");
    }

    /** Ends the daemons of this test's path, however many there are; they are nobody's children. */
    @AfterEach
    void endDaemons() throws Exception {
        for (ProcessHandle daemon : daemons()) {
            daemon.destroyForcibly();
            daemon.onExit().get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS);
        }
    }

    private List<ProcessHandle> daemons() {
        return ProcessHandle.allProcesses()
                .filter(process -> {
                    List<String> arguments = arguments(process);
                    return arguments.contains(socket.toString())
                            && arguments.stream().anyMatch(a -> a.endsWith("escrowd.jar") || a.endsWith(".Escrowd"));
                })
                .toList();
    }

    /** Not as the process handle tells them: it has none when they are longer than a page, as a class path may be. */
    private static List<String> arguments(ProcessHandle process) {
        try {
            return List.of(Files.readString(Path.of("/proc/" + process.pid() + "/cmdline"))
                    .split("\0", -1));
        } catch (IOException e) {
            return List.of(); // It has ended, or is no Java program.
        }
    }

    private BlockingEscrow connect() throws IOException {
        return EscrowClient.builder()
                .path(socket.toString())
                .connectTimeout(TestDaemon.TIMEOUT)
                .connectBlocking(TestDaemon.TIMEOUT);
    }

    /** Checks that one daemon serves the path, and holds what was stored. */
    private ProcessHandle assertOneDaemon(Set<Integer> used) throws IOException {
        try (BlockingEscrow escrow = connect()) {
            assertEquals(used, TestDaemon.used(escrow, TAG));
        }
        // One that found another there has said so, and may take a moment to end.
        ProcessHandle daemon = await().atMost(TestDaemon.TIMEOUT)
                .until(this::daemons, daemons -> daemons.size() == 1)
                .get(0);
        List<String> lock = Files.readAllLines(directory.resolve("s.lock"), UTF_8);
        assertEquals(Long.toString(daemon.pid()), lock.get(0));
        return daemon;
    }

    @RepeatedTest(2)
    void simultaneousStart() throws IOException {
        int clients = 4;
        List<TestProcess> starters = new ArrayList<>();
        try {
            for (int i = 0; i < clients; i++) {
                starters.add(TestClient.start("create", socket, files, TAG, i));
            }
            for (TestProcess starter : starters) {
                starter.say("end");
            }
            for (TestProcess starter : starters) {
                starter.awaitLine("ended");
            }
        } finally {
            for (TestProcess starter : starters) {
                starter.close();
            }
        }
        assertOneDaemon(IntStream.range(0, clients).boxed().collect(Collectors.toSet()));
    }

    @Test
    void outlivesTheProcessGroupOfItsStarter() throws IOException {
        List<String> command = new ArrayList<>(List.of("setsid"));
        command.addAll(TestClient.command(System.getProperty("java.class.path"), "create", socket, directory, TAG, 7));
        try (TestProcess starter = new TestProcess(new ProcessBuilder(command))) {
            starter.awaitLine("holding");
            assertEquals(starter.pid(), starter.group());
            try (TestProcess kill = new TestProcess(new ProcessBuilder("kill", "-KILL", "--", "-" + starter.pid()))) {
                assertEquals(0, kill.awaitExit(), () -> kill.lines().toString());
            }
            assertEquals(128 + 9, starter.awaitExit());
        }
        assertOneDaemon(Set.of(7));
    }

    @Test
    void forceReplacesADeadSocket() throws IOException {
        try (TestDaemon dead = TestDaemon.start(directory)) {
            dead.kill();
        }
        try (TestProcess client = TestClient.start("create", socket, files, TAG, 1)) {
            assertNotEquals(0, client.awaitExit());
            client.awaitLine(line -> line.contains("ECONNREFUSED") && line.contains("--force replaces it"), "--force");
        }
        try (TestProcess client = TestClient.start("force", socket, files, TAG, 2)) {
            client.awaitLine("holding");
        }
        assertOneDaemon(Set.of(2));
    }

    /** Starts a client whose daemon gets a relative path; returns the daemon's process when it serves. */
    private ProcessHandle startAt(Path workingDirectory) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(
                TestClient.command(System.getProperty("java.class.path"), "create", Path.of("s"), directory, TAG, 5));
        builder.directory(workingDirectory.toFile());
        builder.environment().put("DATABASE_PASSWORD", "secret");
        builder.environment().put("JDK_JAVA_OPTIONS", "-Dof.the.server=1");
        try (TestProcess client = new TestProcess(builder)) {
            client.awaitLine("holding");
            long pid = Long.parseLong(Files.readAllLines(workingDirectory.resolve("s.lock"), UTF_8)
                    .get(0));
            return ProcessHandle.of(pid).orElseThrow();
        }
    }

    @Test
    void hasNothingOfItsStarter() throws IOException {
        startAt(directory);
        ProcessHandle daemon = assertOneDaemon(Set.of(5));
        Path proc = Path.of("/proc/" + daemon.pid());
        assertEquals(Path.of("/"), Files.readSymbolicLink(proc.resolve("cwd")));
        String environment = Files.readString(proc.resolve("environ"));
        assertFalse(environment.contains("DATABASE_PASSWORD") || environment.contains("JDK_JAVA_OPTIONS"), environment);

        List<String> arguments = arguments(daemon);
        String classPath = arguments.get(arguments.indexOf("-cp") + 1);
        for (String jar : classPath.split(File.pathSeparator, -1)) {
            // A private copy, which is gone: the daemon keeps it open.
            assertTrue(jar.matches("/.*/escrowd-temporary-\\d+/\\d+\\.jar"), jar);
            assertFalse(Files.exists(Path.of(jar).getParent()), jar);
        }
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
            assertFalse(arguments.stream().anyMatch(argument -> argument.contains(entry)), entry);
        }
        assertFalse(arguments.stream().anyMatch(argument -> argument.contains("TestClient")), arguments::toString);
    }

    @Test
    void servesInADirectoryWhosePathIsTooLongForASocket() throws Exception {
        Path deep = Files.createDirectories(directory.resolve("d".repeat(100)));
        ProcessHandle daemon = startAt(deep);
        try {
            assertEquals(deep.toRealPath(), Files.readSymbolicLink(Path.of("/proc/" + daemon.pid() + "/cwd")));
        } finally {
            daemon.destroyForcibly();
            daemon.onExit().get(TestProcess.PATIENCE_SECONDS, TimeUnit.SECONDS);
        }
    }

    private TestProcess startWithout(String escrowd) throws IOException {
        ProcessBuilder builder =
                new ProcessBuilder(TestClient.command(LIBRARY_ONLY, "create", socket, directory, TAG, 3));
        builder.environment().remove("ESCROWD");
        if (escrowd != null) {
            builder.environment().put("ESCROWD", escrowd);
        }
        return new TestProcess(builder);
    }

    @Test
    void foundThroughTheEnvironment() throws IOException {
        try (TestProcess client = startWithout(System.getProperty("escrowd.jar"))) {
            client.awaitLine("holding");
        }
        ProcessHandle daemon = assertOneDaemon(Set.of(3));
        assertTrue(List.of(daemon.info().arguments().orElseThrow()).contains(System.getProperty("escrowd.jar")));
    }

    @Test
    void foundNowhere() throws IOException {
        try (TestProcess client = startWithout(null)) {
            client.awaitLine(
                    line -> line.contains("escrowd not found: put escrow-daemon and Netty 4.2 on the class path"),
                    "not found");
            assertNotEquals(0, client.awaitExit());
        }
        try (TestProcess client = startWithout("/no/escrowd.jar")) {
            client.awaitLine(line -> line.contains("no readable file \"/no/escrowd.jar\""), "no readable file");
            assertNotEquals(0, client.awaitExit());
        }
        assertFalse(Files.exists(socket));
    }

    @Test
    void daemoniseWithJson() throws IOException {
        TestProcess starter = TestDaemon.run("--daemonise", "--log-format", "json", socket.toString());
        assertEquals(0, starter.awaitExit(), () -> starter.lines().toString());
        assertEquals(List.of(), starter.lines());
        assertOneDaemon(Set.of());
    }

    @Test
    void daemonise() throws IOException {
        TestProcess starter = TestDaemon.run("-t", "3", "-d", socket.toString());
        assertEquals(0, starter.awaitExit(), () -> starter.lines().toString());
        ProcessHandle daemon = assertOneDaemon(Set.of());
        assertNotEquals(starter.pid(), daemon.pid());
        try (BlockingEscrow escrow = connect()) {
            escrow.add(2, 0, new byte[1]);
        }
        TestProcess second = TestDaemon.run("--daemonise", "-f", socket.toString());
        assertEquals(1, second.awaitExit());
        assertEquals(1, second.lines().size(), () -> second.lines().toString());
        assertTrue(
                second.lines().get(0).contains("(process " + daemon.pid() + ") already serves"),
                () -> second.lines().toString());
        try (BlockingEscrow escrow = connect()) {
            assertEquals(1, escrow.tag(2).used());
        }
    }

    /** The command that starts a standby returns when that one stands by, and not only when it serves. */
    @ParameterizedTest
    @ValueSource(strings = {"text", "json"})
    void daemoniseAStandby(String format) throws IOException {
        String[] command = {"--daemonise", "--standby", "--log-format", format, socket.toString()};
        TestProcess first = TestDaemon.run(command);
        assertEquals(0, first.awaitExit(), () -> first.lines().toString());
        ProcessHandle daemon = assertOneDaemon(Set.of());
        try (BlockingEscrow escrow = connect()) {
            escrow.add(2, 0, new byte[1]);
            TestProcess second = TestDaemon.run(command);
            assertEquals(0, second.awaitExit(), () -> second.lines().toString());
            assertEquals(2, daemons().size());
            daemon.destroyForcibly();
            assertEquals(1, escrow.tag(2).used());
        }
    }
}
