package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.testing.TestProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The packages: what is in them, and the programs as they are installed. */
class PackagesIT {

    private static final String TARBALL = System.getProperty("escrowd.tarball");
    private static final String DEB = System.getProperty("escrowd.deb");

    /** Has a space in its name. */
    @TempDir
    static Path directory;

    private static Path home;

    @BeforeAll
    static void unpack() throws IOException {
        Path target = Files.createDirectory(directory.resolve("a place"));
        assumeTrue(isThere("tar"), "tar is missing");
        assertEquals(List.of(), run(Map.of(), 0, "tar", "xf", TARBALL, "-C", target.toString()));
        try (Stream<Path> unpacked = Files.list(target)) {
            home = unpacked.findFirst().orElseThrow();
        }
    }

    private static boolean isThere(String program) {
        return Stream.of(System.getenv("PATH").split(":", -1))
                .anyMatch(entry -> Files.isExecutable(Path.of(entry, program)));
    }

    /** Runs a program, with the Java of this test unless the environment says otherwise; returns what it prints. */
    private static List<String> run(Map<String, String> environment, int exitCode, String... command)
            throws IOException {
        try (TestProcess process = new TestProcess(prepare(environment, command))) {
            assertEquals(exitCode, process.awaitExit(), () -> process.lines().toString());
            return process.lines();
        }
    }

    private static ProcessBuilder prepare(Map<String, String> environment, String... command) {
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().put("ESCROW_JAVA", TestProcess.JAVA);
        builder.environment().remove("ESCROW_JAVA_OPTS");
        builder.environment().putAll(environment);
        return builder;
    }

    private static String program(String name) {
        return home.resolve(name).toString();
    }

    /** Starts a daemon at a socket of its own. */
    private static TestDaemon start(String program) throws IOException {
        Path socket = Files.createTempDirectory(directory, "run").resolve("s");
        return TestDaemon.start(socket, prepare(Map.of(), program, socket.toString()));
    }

    @Test
    void runsFromAnyPlace() throws IOException {
        assertTrue(run(Map.of(), 0, program("bin/escrowd"), "--version").get(0).matches("escrowd \\d.*"));
        Path link = Files.createSymbolicLink(directory.resolve("link"), home.resolve("bin/escrowd"));
        try (TestDaemon daemon = start(link.toString())) {
            daemon.warmUp();
            List<String> status = run(
                    Map.of(),
                    0,
                    program("bin/escrowctl"),
                    "status",
                    daemon.path().toString());
            assertTrue(status.get(0).contains("process " + daemon.pid() + ","), status::toString);
            daemon.terminate();
            daemon.awaitExit();
            assertFalse(Files.exists(daemon.path()));
        }
    }

    @Test
    void takesOptionsForJava() throws IOException {
        List<String> lines = run(
                Map.of("ESCROW_JAVA_OPTS", "-Xlog:safepoint*=off -XX:TieredStopAtLevel=4 -XX:+PrintFlagsFinal"),
                0,
                program("bin/escrowd"),
                "--version");
        assertTrue(lines.stream().anyMatch(line -> line.matches(" *intx TieredStopAtLevel += 4 .*")), lines::toString);
    }

    /** Makes the home of a Java that says which one it is. */
    private static String java(String version, boolean releaseFile) throws IOException {
        Path fake = Files.createTempDirectory(directory, "jdk");
        Path bin = Files.createDirectory(fake.resolve("bin"));
        Path java =
                Files.writeString(bin.resolve("java"), "#!/bin/sh\necho '    java.version = " + version + "' >&2\n");
        Files.setPosixFilePermissions(java, PosixFilePermissions.fromString("rwxr-xr-x"));
        if (releaseFile) {
            Files.writeString(fake.resolve("release"), "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"" + version + "\"\n");
        }
        return fake.toString();
    }

    @Test
    void saysWhichJavaItNeeds() throws IOException {
        String old = java("11.0.2", true);
        String older = java("1.8.0_292", false);
        assertEquals(
                List.of("escrowd: Java 17 or later is needed, and \"" + old
                        + "/bin/java\" is 11.0.2: install one, or set ESCROW_JAVA or JAVA_HOME"),
                run(Map.of("ESCROW_JAVA", "", "JAVA_HOME", old), 127, program("bin/escrowd")));
        assertEquals(
                List.of("escrowd: Java 17 or later is needed, and \"" + older
                        + "/bin/java\" is 1.8.0_292: install one, or set ESCROW_JAVA or JAVA_HOME"),
                run(Map.of("ESCROW_JAVA", older + "/bin/java"), 127, program("bin/escrowctl")));
        assertEquals(
                List.of("escrowd: no Java at \"/nowhere/java\": install one, 17 or later, or set ESCROW_JAVA or"
                        + " JAVA_HOME"),
                run(Map.of("ESCROW_JAVA", "/nowhere/java"), 127, program("bin/escrowd")));
    }

    @Test
    void usesArchiveThatFits() throws IOException {
        assertEquals(List.of(), run(Map.of(), 0, program("lib/make-archive")));
        Path archive = home.resolve("lib/escrowd.jsa").toRealPath();
        try (TestDaemon daemon = start(program("bin/escrowd"))) {
            assertTrue(
                    Files.readString(Path.of("/proc/" + daemon.pid() + "/maps")).contains(archive.toString()));
            assertEquals(1, daemon.lines().size(), () -> daemon.lines().toString());
        }

        // No longer the jar that it was made for.
        Files.setLastModifiedTime(home.resolve("lib/escrowd.jar"), FileTime.fromMillis(0));
        List<String> version = run(Map.of(), 0, program("bin/escrowd"), "--version");
        assertEquals(1, version.size(), version::toString);
        Files.delete(archive);
        Files.deleteIfExists(archive.resolveSibling("escrowd-base.jsa"));
    }

    @Test
    void tarballHasWhatBelongsToIt() {
        for (String file : List.of(
                "LICENSE",
                "README.md",
                "docs/escrowd.md",
                "man/escrowd.1",
                "man/escrowctl.1",
                "completions/escrowd",
                "completions/escrowctl")) {
            assertTrue(Files.isReadable(home.resolve(file)), file);
        }
    }

    @Test
    void debianPackageHasWhatBelongsToIt() throws IOException {
        assumeTrue(isThere("dpkg-deb"), "dpkg-deb is missing");
        List<String> info = run(Map.of(), 0, "dpkg-deb", "--info", DEB);
        assertTrue(info.contains(" Package: escrowd"), info::toString);
        assertTrue(info.stream().anyMatch(line -> line.startsWith(" Depends: default-jre-headless")), info::toString);
        // Without columns that are not what matters: mode, then owner, size, date, time, and the name.
        List<String> files = new ArrayList<>();
        for (String line : run(Map.of(), 0, "dpkg-deb", "--contents", DEB)) {
            String[] fields = line.split(" +", 6);
            files.add(fields[0] + " " + fields[1] + " " + fields[5]);
        }
        for (String file : List.of(
                "-rwxr-xr-x root/root ./usr/share/escrowd/bin/escrowd",
                "-rwxr-xr-x root/root ./usr/share/escrowd/bin/escrowctl",
                "-rwxr-xr-x root/root ./usr/share/escrowd/lib/launch",
                "-rwxr-xr-x root/root ./usr/share/escrowd/lib/make-archive",
                "-rw-r--r-- root/root ./usr/share/escrowd/lib/escrowd.jar",
                "drwxr-xr-x root/root ./var/cache/escrowd/",
                "-rw-r--r-- root/root ./usr/share/man/man1/escrowd.1.gz",
                "-rw-r--r-- root/root ./usr/share/man/man1/escrowctl.1.gz",
                "-rw-r--r-- root/root ./usr/share/bash-completion/completions/escrowd",
                "-rw-r--r-- root/root ./usr/share/bash-completion/completions/escrowctl",
                "-rw-r--r-- root/root ./usr/share/doc/escrowd/copyright",
                "-rw-r--r-- root/root ./usr/share/doc/escrowd/changelog.gz")) {
            assertTrue(files.contains(file), () -> file + " in " + files);
        }
        assertTrue(
                files.stream().anyMatch(file -> file.endsWith(" ./usr/bin/escrowd -> ../share/escrowd/bin/escrowd")));
    }
}
