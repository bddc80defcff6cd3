package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.SocketPath;
import io.escrow.client.BlockingEscrow;
import io.escrow.daemon.kernel.Accounts;
import io.escrow.testing.TestProcess;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Clients that run as somebody else, which takes a root who may become somebody else. */
class AccessIT {

    private static final int TAG = 1;
    private static final int STRANGER = 54_321;
    private static final int GROUP = 54_322;

    @TempDir
    static Path classes;

    private static String classPath;

    @TempDir
    Path directory;

    /** Copies what a client needs to where everybody may read it. */
    @BeforeAll
    static void copyClasses() throws Exception {
        assumeTrue(Accounts.ownUser() == 0, "only root becomes somebody else");
        Path tests = Path.of(TestClient.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toURI());
        Path copies = Files.createDirectories(classes.resolve("io/escrow/daemon"));
        try (Stream<Path> all = Files.list(tests.resolve("io/escrow/daemon"))) {
            for (Path file : all.toList()) {
                Files.copy(file, copies.resolve(file.getFileName()));
            }
        }
        try (InputStream logging = TestClient.class.getResourceAsStream("/logback-test.xml")) {
            Files.copy(logging, classes.resolve("logback-test.xml"));
        }
        Path jar = classes.resolve("escrowd.jar");
        Files.copy(Path.of(System.getProperty("escrowd.jar")), jar);
        Files.setPosixFilePermissions(classes, PosixFilePermissions.fromString("rwxr-xr-x"));
        classPath = jar + File.pathSeparator + classes;
        assumeTrue(as(STRANGER, GROUP, List.of("cat", jar.toString())) == 0, "nobody else may read temporary files");
    }

    @BeforeEach
    void letOthersIn() throws IOException {
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private static ProcessBuilder become(int uid, int gid, List<String> command) {
        List<String> all = new ArrayList<>(List.of("setpriv", "--reuid=" + uid, "--regid=" + gid, "--clear-groups"));
        all.addAll(command);
        return new ProcessBuilder(all);
    }

    private static int as(int uid, int gid, List<String> command) throws IOException {
        try (TestProcess process = new TestProcess(become(uid, gid, command))) {
            return process.awaitExit();
        }
    }

    private static TestProcess startClient(TestDaemon daemon, int uid, int gid) throws IOException {
        return new TestProcess(
                become(uid, gid, TestClient.command(classPath, "hold", daemon.path(), daemon.path(), TAG, 1)));
    }

    private static void assertLetIn(TestDaemon daemon, int uid, int gid) throws IOException {
        try (TestProcess client = startClient(daemon, uid, gid)) {
            client.awaitLine("holding");
            client.say("end");
            client.awaitLine("ended");
        }
        assertEquals(Set.of(1), daemon.used(TAG));
        try (BlockingEscrow escrow = daemon.connect()) {
            escrow.delete(TAG, 1);
        }
    }

    private static void assertKeptOut(TestDaemon daemon, int uid, int gid, String why) throws IOException {
        try (TestProcess client = startClient(daemon, uid, gid)) {
            client.awaitLine(line -> line.contains("EscrowException: EACCES: ") && line.contains(why), why);
            assertNotEquals(0, client.awaitExit());
        }
        assertEquals(Set.of(), daemon.used(TAG));
    }

    @Test
    void modeKeepsOthersOut() throws IOException {
        try (TestDaemon daemon = TestDaemon.start(directory, "--allow-user=" + STRANGER)) {
            assertKeptOut(daemon, STRANGER, GROUP, "no permission to connect to");
        }
    }

    /** Anybody may connect, and is told what is missing; what the daemon holds is not touched. */
    @Test
    void strangersAreKeptOut() throws IOException {
        try (TestDaemon daemon = TestDaemon.start(
                directory, "--mode=666", "--allow-user=" + GROUP, "--allow-group=" + STRANGER, "--allow-group=1")) {
            assertKeptOut(daemon, STRANGER, GROUP, "uid " + STRANGER + ", gid " + GROUP + ", pid ");
            String line = daemon.awaitLine(l -> l.contains("client refused"), "client refused");
            assertTrue(
                    line.matches(".* client refused uid=\"" + STRANGER + "\" gid=\"" + GROUP + "\" pid=\"[1-9]\\d*\""),
                    line);
        }
    }

    /** Those who are refused again and again keep nobody waiting. */
    @Test
    void strangersDoNotBlockTheQueue() throws IOException {
        try (TestDaemon daemon = TestDaemon.start(directory, "--mode=0666")) {
            long descriptors = daemon.warmUp();
            BlockingEscrow first = daemon.connect();
            try (TestProcess one = startClient(daemon, STRANGER, GROUP);
                    TestProcess other = startClient(daemon, STRANGER + 1, GROUP)) {
                one.awaitLine("waiting for the session of process "
                        + ProcessHandle.current().pid());
                other.awaitLine("waiting for the session of process "
                        + ProcessHandle.current().pid());
                first.close();
                assertEquals(Set.of(), daemon.used(TAG));
                one.awaitLine(l -> l.contains("uid " + STRANGER), "uid");
                other.awaitLine(l -> l.contains("uid " + (STRANGER + 1)), "uid");
            }
            daemon.awaitDescriptors(descriptors);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"--allow-user=" + STRANGER, "--allow-group=" + GROUP})
    void letIn(String option) throws IOException {
        try (TestDaemon daemon = TestDaemon.start(directory, "--mode=666", option, "--allow-user=daemon")) {
            assertLetIn(daemon, STRANGER, GROUP);
            assertLetIn(daemon, Accounts.user("daemon"), 1);
            assertKeptOut(daemon, STRANGER + 1, GROUP + 1, "uid " + (STRANGER + 1));
        }
    }

    /** The socket is given to the one group that is let in, so that the kernel keeps all others out. */
    @Test
    void letInByGroupAndMode() throws IOException {
        try (TestDaemon daemon = TestDaemon.start(directory, "--mode=660", "--allow-group=" + GROUP)) {
            assertEquals(GROUP, Files.getAttribute(daemon.path(), "unix:gid"));
            assertEquals(0660, (int) Files.getAttribute(daemon.path(), "unix:mode") & 0777);
            assertEquals(0640, (int) Files.getAttribute(SocketPath.lockFile(daemon.path()), "unix:mode") & 0777);
            assertLetIn(daemon, STRANGER, GROUP);
            assertKeptOut(daemon, STRANGER, GROUP + 1, "no permission to connect to");
        }
    }

    /** A daemon that is not root lets root and itself in, and its directory must be its own. */
    @Test
    void daemonOfSomebodyElse() throws IOException {
        Path own = Files.createDirectory(directory.resolve("own"));
        Files.setAttribute(own, "unix:uid", STRANGER);
        Files.setAttribute(own, "unix:gid", GROUP);
        Path socket = own.resolve("s");
        List<String> command =
                TestProcess.java("-jar", classes.resolve("escrowd.jar").toString(), socket.toString());
        try (TestDaemon daemon = TestDaemon.start(socket, become(STRANGER, GROUP, command))) {
            assertLetIn(daemon, STRANGER, GROUP + 1);
            assertLetIn(daemon, 0, 0);
        }
    }

    @Test
    void directoryOthersMayWriteTo() throws IOException {
        Files.setAttribute(directory, "unix:mode", 0777);
        TestProcess refused = TestDaemon.run(directory.resolve("s").toString());
        assertEquals(1, refused.awaitExit());
        assertEquals(
                List.of("escrowd: EACCES: all users may write to \"" + directory
                        + "\" (mode 777) and could replace the socket: use a directory of your own, or chmod +t"),
                refused.lines());

        Files.setAttribute(directory, "unix:mode", 01777);
        try (TestDaemon daemon = TestDaemon.start(directory)) {
            daemon.warmUp();
        }
    }

    @Test
    void directoryGroupMayWriteTo() throws IOException {
        Files.setAttribute(directory, "unix:gid", GROUP);
        Files.setAttribute(directory, "unix:mode", 0770);
        TestProcess refused = TestDaemon.run(directory.resolve("s").toString());
        assertEquals(1, refused.awaitExit());
        assertTrue(
                refused.lines().get(0).startsWith("escrowd: EACCES: group " + GROUP + " may write to "),
                () -> refused.lines().toString());

        try (TestDaemon daemon = TestDaemon.start(directory, "--allow-group=" + GROUP)) {
            daemon.warmUp();
        }
    }
}
