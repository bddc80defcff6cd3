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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Configures the Debian package in a root directory of its own while a daemon runs, with a systemctl that knows one service,
 * or one and its standby, and reloads as the unit says.
 */
class PackageUpgradeIT {

    private static final String DEB = System.getProperty("escrowd.deb");
    private static final String RELOAD = "ExecReload=/usr/bin/escrowctl upgrade /run/escrowd/%i/escrow";
    private static final String SERVICE = "escrowd@web.service";
    private static final String STANDBY = "escrowd-standby@web.service";
    private static final List<String> BEGINNING = List.of(
            "make-archive",
            "daemon-reload",
            "list-units --plain --no-legend --state=running escrowd@*.service escrowd-standby@*.service",
            "reload " + SERVICE);

    @TempDir
    static Path directory;

    private static Path root;
    private static Path called;
    private static Path path;
    private static Path standbyProcess;

    @BeforeAll
    static void unpack() throws IOException {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/dpkg-deb")), "dpkg-deb is missing");
        root = directory.resolve("root");
        called = directory.resolve("called");
        path = directory.resolve("s");
        standbyProcess = directory.resolve("standby-process");
        run(0, "dpkg-deb", "--extract", DEB, root.toString());
        run(0, "dpkg-deb", "--control", DEB, directory.resolve("control").toString());
        Files.createDirectories(root.resolve("run/systemd/system"));
        program(root.resolve("usr/share/escrowd/lib/make-archive"), "echo make-archive >>" + called);
        Files.createSymbolicLink(
                Files.createDirectories(root.resolve("run/escrowd/web")).resolve("escrow.lock"),
                SocketPath.lockFile(path));
        // The service's process is the one that serves; that of its standby is in a file, if there is one.
        program(Files.createDirectory(directory.resolve("bin")).resolve("systemctl"), """
                echo "$@" >>%s
                case $* in
                  list-units*) echo "escrowd@web.service loaded active running Escrow web"
                    [ ! -e $standby ] || echo "escrowd-standby@web.service loaded active running Standby of escrow web" ;;
                  reload*) exec %s upgrade %s ;;
                  *is-active\\ escrowd-standby*) test -e $standby ;;
                  show*escrowd@*) head -n 1 %s ;;
                  show*) cat $standby ;;
                esac
                """.replace(
                        "$standby", standbyProcess.toString())
                .formatted(called, root.resolve("usr/share/escrowd/bin/escrowctl"), path, SocketPath.lockFile(path)));
    }

    @BeforeEach
    void callNothingYet() throws IOException {
        Files.deleteIfExists(called);
        Files.deleteIfExists(standbyProcess);
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
                assertEquals(BEGINNING, called().subList(0, BEGINNING.size()));
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

    /** Upgrades a service whose standby has a process number; returns what is called behind the reload. */
    private List<String> upgradeWithStandby(String standby) throws Exception {
        ProcessBuilder escrowd =
                builder(root.resolve("usr/share/escrowd/bin/escrowd").toString(), "--force", path.toString());
        try (TestProcess before = TestDaemon.start(path, escrowd)) {
            Files.writeString(standbyProcess, standby + "\n");
            configure("0.0.1");
            ReplacedDaemon.kill(serving());
            before.awaitExit();
        }
        assertEquals(BEGINNING, called().subList(0, BEGINNING.size()));
        return called().subList(BEGINNING.size(), called().size());
    }

    @Test
    void theStandbyIsRestartedBehindTheOneThatServes() throws Exception {
        List<String> called = upgradeWithStandby("4711");
        assertEquals("restart " + STANDBY, called.get(called.size() - 1), called::toString);
    }

    /** The standby holds what nobody else holds, if the upgrade has failed. */
    @Test
    void noStandbyIsRestartedIfTheUpgradeFails() throws IOException {
        Files.writeString(standbyProcess, "4711\n");
        configure("0.0.1");
        assertEquals(BEGINNING, called());
    }

    @ParameterizedTest
    @ValueSource(strings = {SERVICE, STANDBY})
    void reloadsAsTheUnitSays(String name) throws IOException {
        List<String> unit = unit(name);
        assertTrue(unit.contains(RELOAD), unit::toString);
    }

    private static List<String> unit(String name) throws IOException {
        return Files.readAllLines(root.resolve("usr/lib/systemd/system").resolve(name.replace("@web", "@")));
    }

    /** Either of the two processes may serve, and has the same rights then. */
    @Test
    void bothUnitsHaveTheSameSettings() throws IOException {
        assertEquals(settings(SERVICE), settings(STANDBY));
    }

    private static List<String> settings(String name) throws IOException {
        return unit(name).stream()
                .filter(line -> line.matches("[A-Z]\\w+=.*"))
                .filter(line -> !line.matches("(Description|After|ExecStart|WantedBy)=.*"))
                .toList();
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
