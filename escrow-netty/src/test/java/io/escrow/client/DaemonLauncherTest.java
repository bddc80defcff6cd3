package io.escrow.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.escrow.EscrowException;
import io.escrow.Status;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DaemonLauncherTest {

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
        assumeTrue(System.getenv(DaemonLaunch.ENVIRONMENT) == null);

        EscrowException e = assertThrows(EscrowException.class, () -> DaemonLauncher.find(null));
        assertEquals(Status.ENOENT, e.status());
        assertEquals(
                "escrowd not found: put escrow-daemon on the class path, name it with DaemonLaunch.from, or set ESCROWD"
                        + " to the path of escrowd.jar",
                e.text());
    }
}
