package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.SocketPath;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Configures the Debian package in a root directory of its own while a daemon runs, with a systemctl that knows one service
 * and reloads it as the unit says.
 */
class PackageUpgradeIT {

    private static final String DEB = System.getProperty("escrowd.deb");
    private static final String RELOAD = "ExecReload=/usr/bin/escrowctl upgrade /run/escrowd/%i/escrow";

    @TempDir
    static Path directory;

    private static Path root;
    private static Path called;
    private static Path path;

    @BeforeAll
    static void unpack() throws IOException {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/dpkg-deb")), "dpkg-deb is missing");
        root = directory.resolve("root");
        called = directory.resolve("called");
        path = directory.resolve("s");
        run(0, "dpkg-deb", "--extract", DEB, root.toString());
        run(0, "dpkg-deb", "--control", DEB, directory.resolve("control").toString());
        Files.createDirectories(root.resolve("run/systemd/system"));
        program(root.resolve("usr/share/escrowd/lib/make-archive"), "echo make-archive >>" + called);
        program(Files.createDirectory(directory.resolve("bin")).resolve("systemctl"), """
                echo "$@" >>%s
                case $1 in
                  list-units) echo "escrowd@web.service loaded active running Escrow web" ;;
                  reload) exec %s upgrade %s ;;
                esac
                """.formatted(
                        called, root.resolve("usr/share/escrowd/bin/escrowctl"), path));
    }

    @BeforeEach
    void callNothingYet() throws IOException {
        Files.deleteIfExists(called);
    }

    private static void program(Path file, String text) throws IOException {
        Files.writeString(file, "#!/bin/sh\n" + text + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private static ProcessBuilder builder(String... command) {
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().put("ESCROW_JAVA", TestProcess.JAVA);
        builder.environment().put("DPKG_ROOT", root.toString());
        builder.environment().put("PATH", directory.resolve("bin") + ":" + System.getenv("PATH"));
        return builder;
    }

    private static List<String> run(int exitCode, String... command) throws IOException {
        try (TestProcess process = new TestProcess(builder(command))) {
            assertEquals(exitCode, process.awaitExit(), () -> process.lines().toString());
            return process.lines();
        }
    }

    private List<String> configure(String... before) throws IOException {
        List<String> command = Stream.concat(
                        Stream.of("sh", directory.resolve("control/postinst").toString(), "configure"),
                        Stream.of(before))
                .toList();
        return run(0, command.toArray(String[]::new));
    }

    private List<String> called() throws IOException {
        return Files.readAllLines(called);
    }

    private long serving() throws IOException {
        return Long.parseLong(Files.readAllLines(SocketPath.lockFile(path)).get(0));
    }

    private BlockingEscrow connect() throws IOException {
        return EscrowClient.builder().path(path.toString()).connectBlocking(TestDaemon.TIMEOUT);
    }

    private void assertLeftAlone() throws IOException {
        assertEquals(List.of("make-archive", "daemon-reload"), called());
    }

    private List<String> configureWith(String settings) throws IOException {
        Path file = root.resolve("etc/default/escrowd");
        String installed = Files.readString(file);
        assertTrue(installed.contains("\nUPGRADE_RUNNING=yes\n"), installed);
        try {
            Files.writeString(file, settings);
            return configure("0.0.1");
        } finally {
            Files.writeString(file, installed);
        }
    }

    @Test
    void daemonThatRunsGoesOnAsTheNewVersion() throws Exception {
        ProcessBuilder escrowd =
                builder(root.resolve("usr/share/escrowd/bin/escrowd").toString(), "--force", path.toString());
        try (TestProcess before = TestDaemon.start(path, escrowd)) {
            try (BlockingEscrow escrow = connect()) {
                escrow.add(1, 1, new byte[1]);
            }
            List<String> printed = configure("0.0.1");
            long next = serving();
            try {
                assertTrue(
                        printed.contains(
                                "escrowd: escrowd@web.service runs this version now, with everything that it held"),
                        printed::toString);
                assertEquals(
                        List.of(
                                "make-archive",
                                "daemon-reload",
                                "list-units --plain --no-legend --state=running escrowd@*.service",
                                "reload escrowd@web.service"),
                        called());
                assertNotEquals(before.pid(), next);
                try (BlockingEscrow escrow = connect()) {
                    assertEquals(Set.of(1), TestDaemon.used(escrow, 1));
                }
            } finally {
                ReplacedDaemon.kill(next);
            }
            assertEquals(0, before.awaitExit(), () -> before.lines().toString());
        }
    }

    @Test
    void reloadsAsTheUnitSays() throws IOException {
        List<String> unit = Files.readAllLines(root.resolve("usr/lib/systemd/system/escrowd@.service"));
        assertTrue(unit.contains(RELOAD), unit::toString);
    }

    @Test
    void leavesDaemonsAloneIfItIsToldTo() throws IOException {
        assertEquals(List.of(), configureWith("UPGRADE_RUNNING=no\n"));
        assertLeftAlone();
    }

    @Test
    void leavesDaemonsAloneIfItIsToldNonsense() throws IOException {
        assertEquals(
                List.of(
                        "escrowd: UPGRADE_RUNNING in /etc/default/escrowd: \"perhaps\" (expected: yes or no): daemons that"
                                + " run are left as they are"),
                configureWith("UPGRADE_RUNNING=perhaps\n"));
        assertLeftAlone();
    }

    @Test
    void leavesDaemonsAloneWhenItIsInstalledForTheFirstTime() throws IOException {
        assertEquals(List.of(), configure(""));
        assertLeftAlone();
    }

    @Test
    void saysThatADaemonGoesOnWhichCannotBeReplaced() throws IOException {
        List<String> printed = configure("0.0.1");

        assertEquals(
                "escrowd: escrowd@web.service goes on with the version before; journalctl -u escrowd@web.service says why,"
                        + " systemctl reload escrowd@web.service tries again",
                printed.get(printed.size() - 1));
    }

    @Test
    void settingsAreKeptByDpkg() throws IOException {
        assertEquals(List.of("/etc/default/escrowd"), Files.readAllLines(directory.resolve("control/conffiles")));
    }
}
