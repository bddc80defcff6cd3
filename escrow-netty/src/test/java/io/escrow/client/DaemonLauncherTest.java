package io.escrow.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.EscrowException;
import io.escrow.SocketPath;
import io.escrow.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DaemonLauncherTest {

    /** The sixth field of /proc/PID/stat, counted behind the name in parentheses: proc(5). */
    private static final int SESSION = 3;

    @TempDir
    Path directory;

    @Test
    void runsJarWithThisJava() throws Exception {
        Path jar = Files.createFile(directory.resolve("escrowd.jar"));

        List<String> command = DaemonLauncher.find(jar);

        assertEquals(Path.of(System.getProperty("java.home"), "bin", "java").toString(), command.get(0));
        assertEquals(List.of("-jar", jar.toString()), command.subList(command.size() - 2, command.size()));
    }

    @Test
    void usesArchiveBesideJar() throws Exception {
        Path jar = Files.createFile(directory.resolve("escrowd.jar"));
        String archive = "-XX:SharedArchiveFile=" + directory.resolve("escrowd.jsa");
        assertFalse(DaemonLauncher.find(jar).contains(archive));

        Files.createFile(directory.resolve("escrowd.jsa"));
        assertTrue(DaemonLauncher.find(jar).contains(archive));
    }

    @Test
    void runsProgramAsItIs() throws Exception {
        Path program = Files.createFile(directory.resolve("escrowd"));

        assertEquals(List.of(program.toString()), DaemonLauncher.find(program));
    }

    @Test
    void saysThatFileIsNotThere() {
        Path missing = directory.resolve("escrowd.jar");

        EscrowException e = assertThrows(EscrowException.class, () -> DaemonLauncher.find(missing));
        assertEquals(Status.ENOENT, e.status());
        assertEquals("escrowd not found: no readable file \"" + missing + "\"", e.text());
    }

    @Test
    void saysWhereTheDaemonMayBeNamed() {
        assumeTrue(System.getenv(DaemonLauncher.ENVIRONMENT) == null);

        EscrowException e = assertThrows(EscrowException.class, () -> DaemonLauncher.find(null));
        assertEquals(Status.ENOENT, e.status());
        assertEquals(
                "escrowd not found: put escrow-daemon on the class path, name it as an option, or set ESCROWD to the"
                        + " path of escrowd.jar",
                e.text());
    }

    @Test
    void startsDaemonInSessionOfItsOwn() throws Exception {
        Process daemon = DaemonLauncher.launch(shell("echo 'Listening on \"s\"' >&2; exec sleep 600"), false);
        try {
            String stat = Files.readString(Path.of("/proc/" + daemon.pid() + "/stat"));
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", SESSION + 2);
            assertEquals(Long.toString(daemon.pid()), fields[SESSION]);
            assertTrue(daemon.isAlive());
        } finally {
            daemon.destroyForcibly().waitFor();
        }
    }

    /** The words alone, in another part of a line, are not it. */
    @Test
    void seesThatDaemonWhichLogsJsonListens() throws Exception {
        String listening = "\"message\":\"Listening on \\\"s\\\"\"}";
        Process daemon =
                DaemonLauncher.launch(shell("echo '{\"time\":\"\"," + listening + "' >&2; exec sleep 600"), false);
        daemon.destroyForcibly().waitFor();

        String quoted = "{\"message\":\"wrong\",\"reason\":\"\\\"message\\\":\\\"Listening on \"}";
        EscrowException e = assertThrows(
                EscrowException.class,
                () -> DaemonLauncher.launch(shell("printf '%s\\n' '" + quoted + "' >&2"), false));
        assertTrue(e.text().endsWith(quoted), e.text());
    }

    @Test
    void saysTheLastWordsOfDaemonThatEnds() {
        EscrowException e = assertThrows(
                EscrowException.class,
                () -> DaemonLauncher.launch(shell("echo first >&2; echo 'no room' >&2; exit 1"), false));

        assertEquals(Status.ECONNREFUSED, e.status());
        assertTrue(e.text().endsWith(" ended before it listened: no room"), e.text());
    }

    @Test
    void saysThatDaemonEndedSilently() {
        EscrowException e = assertThrows(EscrowException.class, () -> DaemonLauncher.launch(List.of("true"), false));

        assertTrue(e.text().endsWith(" ended before it listened: it said nothing"), e.text());
    }

    @Test
    void readsHolderFromLockFile() throws IOException {
        Path socket = directory.resolve("s");
        assertEquals(0, DaemonLauncher.holder(socket));

        Files.writeString(SocketPath.lockFile(socket), "1\n4711\n");
        assertEquals(4711, DaemonLauncher.holder(socket));

        Files.writeString(SocketPath.lockFile(socket), "1\n");
        assertEquals(0, DaemonLauncher.holder(socket));

        Files.writeString(SocketPath.lockFile(socket), "1\nnobody\n");
        assertEquals(0, DaemonLauncher.holder(socket));
    }

    private static List<String> shell(String script) {
        return List.of("sh", "-c", script);
    }
}
