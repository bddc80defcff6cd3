package io.escrow.daemon;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Entry;
import io.escrow.SocketPath;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The jar of a running daemon is overwritten in place, and everything is asked of the daemon that it can do. */
class OverwrittenJarIT {

    private static final int TAG = 1;
    private static final String LOG_OF_CLASSES = "-Xlog:class+load:file=";

    @TempDir
    Path directory;

    private TestDaemon daemon;
    private Path jar;

    /** Returns the command of a daemon that logs its classes, with an archive as escrowd has it where it is installed. */
    private ProcessBuilder command(boolean archive, String... arguments) throws IOException {
        String log = LOG_OF_CLASSES + directory.resolve("classes-%p");
        jar = directory.resolve("escrowd.jar");
        Files.copy(Path.of(TestDaemon.JAR), jar);
        List<String> command;
        if (archive) {
            for (String file : List.of("launch", "make-archive")) {
                Files.copy(Path.of("src/main/dist/lib", file), directory.resolve(file));
            }
            try (TestProcess made = new TestProcess(launcher("make-archive"))) {
                assertEquals(0, made.awaitExit(), () -> made.lines().toString());
            }
            command = new ArrayList<>(launcher("launch", log).command());
        } else {
            command = new ArrayList<>(TestProcess.java(log));
        }
        command.addAll(List.of("-jar", jar.toString()));
        command.addAll(List.of(arguments));
        return launcherJava(new ProcessBuilder(TestProcess.withHangup(command)));
    }

    private ProcessBuilder launcher(String script, String... arguments) {
        List<String> command =
                new ArrayList<>(List.of("sh", directory.resolve(script).toString()));
        command.addAll(List.of(arguments));
        return launcherJava(new ProcessBuilder(command));
    }

    private static ProcessBuilder launcherJava(ProcessBuilder builder) {
        builder.environment().put("ESCROW_JAVA", TestProcess.JAVA);
        return builder;
    }

    private static void assertLoadedAhead(boolean archive, List<String> classes) {
        assertEquals(archive, classes.size() < 500, "classes from the jar: " + classes.size());
    }

    private List<String> ctl(int exit, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("ctl"));
        command.addAll(List.of(arguments));
        TestProcess ctl = TestDaemon.run(command.toArray(String[]::new));
        assertEquals(exit, ctl.awaitExit(), () -> ctl.lines() + " " + daemon.lines());
        return ctl.lines();
    }

    /** Asks what operators ask, and what they should not. */
    private static void askEverything(Path socket) throws IOException {
        for (String request :
                List.of("GET /status", "GET /slots", "GET /slots?tag=1", "GET /slots/1/0", "GET /metrics")) {
            assertEquals(200, Operator.ask(socket, request).status(), request);
        }
        for (String request :
                List.of("GET /slots?tag=x", "GET /none", "GET /%zz", "POST /status", "DELETE /slots/1/x")) {
            assertEquals(400, Operator.ask(socket, request).status(), request);
        }
        try (Operator operator = Operator.connect(socket)) {
            operator.send("\0 nonsense\r\n\r\n");
            assertEquals(400, operator.answer().status());
        }
        try (Operator watching = Operator.begin(socket, "GET /events")) {
            watching.awaitChunks();
        }
    }

    /** Returns the classes that a JVM has loaded from a jar, in order, with the log of that. */
    private static List<String> loadedFrom(Path jar, Path log) throws IOException {
        try (Stream<String> lines = Files.lines(log)) {
            return lines.filter(line -> line.contains("source: file:" + jar)).toList();
        }
    }

    private void expect(String text) {
        daemon.awaitLine(line -> line.contains(text), text);
    }

    @ParameterizedTest(name = "with an archive: {0}")
    @ValueSource(booleans = {false, true})
    void everythingGoesOn(boolean archive) throws Exception {
        Path socket = directory.resolve("s");
        String path = socket.toString();
        ProcessBuilder command = command(
                archive,
                "--metrics=0",
                "--reap",
                "--reap-interval=1",
                "--unclaimed-timeout=4",
                "--hello-timeout=1",
                "--verbose",
                path);
        try (TestFiles files = new TestFiles(directory.resolve("files"), 3);
                TestDaemon started = TestDaemon.start(socket, command)) {
            daemon = started;
            Path log = directory.resolve("classes-" + daemon.pid());
            List<String> before = loadedFrom(jar, log);
            assertLoadedAhead(archive, before);
            byte[] other = new byte[1 << 20];
            new Random(1).nextBytes(other);
            Files.write(jar, other);

            String port = daemon.awaitLine(line -> line.contains("serving metrics"), "serving metrics")
                    .replaceFirst(".*:(\\d+)\".*", "$1");
            try (Socket scrape = new Socket(InetAddress.getLoopbackAddress(), Integer.parseInt(port))) {
                scrape.getOutputStream().write("GET /metrics HTTP/1.0\r\n\r\n".getBytes(US_ASCII));
                assertTrue(
                        new String(scrape.getInputStream().readAllBytes(), US_ASCII).contains("escrowd_slots_limit"));
            }
            try (BlockingEscrow escrow = daemon.connect()) {
                escrow.add(TAG, 0, files.get(0), new byte[3]);
                escrow.addAll(files.deposits(TAG, 1, 3)).orThrow();
                try (Entry entry = escrow.get(TAG, 0)) {
                    assertTrue(entry.hasDescriptor());
                }
                assertEquals(Set.of(0, 1, 2), TestDaemon.used(escrow, TAG));
                assertEquals(3, escrow.tag(TAG).used());
                escrow.delete(TAG, 2);
                askEverything(socket);
                ctl(0, "ls", path);
                ctl(0, "show", path, "1", "0");
                ctl(0, "del", "--yes", path, "1", "1");
                ctl(0, "status", path);
                ctl(0, "metrics", path);
                ctl(0, "evict", path);
            }
            expect("slot removed by operator");
            expect("ECANCELED");
            try (RawClient wrong = RawClient.connect(socket)) {
                wrong.bytes(RawClient.ints(4, 0));
                wrong.receive();
                wrong.awaitEnd();
            }
            RawClient silent = RawClient.connect(socket);
            expect("status=\"ETIMEDOUT\"");
            silent.close();
            Files.delete(socket);
            expect("socket published again");
            expect("unclaimed slots closed");
            daemon.signal("HUP");
            expect("signal ignored");
            await().atMost(TestDaemon.TIMEOUT).until(() -> daemon.used(TAG).isEmpty());
            daemon.terminate();
            assertEquals(128 + 15, daemon.awaitExit());
            List<String> all = loadedFrom(jar, log);
            assertEquals(List.of(), all.subList(before.size(), all.size()));
            assertTrue(
                    daemon.lines().stream()
                            .noneMatch(line -> line.contains("NoClassDefFound") || line.contains(" ERROR ")),
                    () -> daemon.lines().toString());
        }
        try (Stream<Path> left = Files.list(directory)) {
            assertTrue(left.noneMatch(file -> file.equals(socket)));
        }
    }

    @ParameterizedTest(name = "with an archive: {0}")
    @ValueSource(booleans = {false, true})
    void anotherTakesItsPlace(boolean archive) throws Exception {
        Path socket = directory.resolve("s");
        try (TestProcess before = TestDaemon.start(socket, command(archive, socket.toString()))) {
            Path log = directory.resolve("classes-" + before.pid());
            int loaded = loadedFrom(jar, log).size();
            assertLoadedAhead(archive, loadedFrom(jar, log));
            try (BlockingEscrow escrow =
                    EscrowClient.builder().path(socket.toString()).connectBlocking(TestDaemon.TIMEOUT)) {
                escrow.add(TAG, 0, new byte[3]);
                Files.write(jar, new byte[1 << 20]);
                TestProcess upgrade = TestDaemon.run("ctl", "upgrade", socket.toString());
                assertEquals(0, upgrade.awaitExit(), () -> upgrade.lines() + " " + before.lines());
                long next = Long.parseLong(
                        Files.readAllLines(SocketPath.lockFile(socket)).get(0));
                try {
                    await().atMost(TestDaemon.TIMEOUT).until(() -> !before.isAlive());
                    assertEquals(
                            List.of(),
                            loadedFrom(jar, log)
                                    .subList(loaded, loadedFrom(jar, log).size()));
                    assertEquals(3, escrow.get(TAG, 0).payload().length);
                } finally {
                    ReplacedDaemon.kill(next);
                }
                assertEquals(0, before.awaitExit(), () -> before.lines().toString());
            }
        }
    }
}
