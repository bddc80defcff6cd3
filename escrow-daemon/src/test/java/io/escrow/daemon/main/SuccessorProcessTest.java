package io.escrow.daemon.main;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SuccessorProcessTest {

    private static final Path SOCKET = Path.of("/run/s");

    @TempDir
    Path directory;

    private Path jar(String mainClass) throws IOException {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        if (mainClass != null) {
            manifest.getMainAttributes().put(Attributes.Name.MAIN_CLASS, mainClass);
        }
        Path jar = directory.resolve("new.jar");
        new JarOutputStream(Files.newOutputStream(jar), manifest).close();
        return jar;
    }

    @Test
    void putsTheJarInThePlaceOfTheOldOne() throws IOException {
        Path jar = jar("Main");
        assertEquals(
                List.of("/bin/java", "-Xmx1g", "-jar", jar.toString()),
                SuccessorProcess.command("/bin/java", List.of("-Xmx1g", "-jar", "old.jar"), jar));
        assertEquals(
                List.of("/bin/java", "-cp", jar.toString(), "Main"),
                SuccessorProcess.command("/bin/java", List.of("-cp", "old.jar", "Main"), jar));
        assertEquals(
                List.of("/bin/java", "-jar", "old.jar"),
                SuccessorProcess.command("/bin/java", List.of("-jar", "old.jar"), null));
    }

    @Test
    void refusesWhatIsNoProgram() throws IOException {
        refused("no program", jar(null));
        refused("not a jar", Files.writeString(directory.resolve("text"), "text"));
        refused("no such jar", directory.resolve("none"));
        refused("no such jar", Path.of("relative.jar"));
    }

    private static void refused(String text, Path jar) {
        EscrowException e = assertThrows(
                EscrowException.class, () -> SuccessorProcess.command("java", List.of("-jar", "old.jar"), jar));
        assertTrue(e.getMessage().contains(text), e.getMessage());
    }

    @Test
    void leavesOutWhatIsForTheFirstStart() {
        assertEquals(
                List.of("--takeover", "--tags=4", "/run/s"),
                SuccessorProcess.options(List.of("-d", "--force", "--tags=4", "/run/s"), SOCKET));
        assertEquals(
                List.of("--takeover", "--tags=4", "/run/s"),
                SuccessorProcess.options(List.of("--takeover", "--tags=4", "/run/s"), SOCKET));
    }

    /** systemd may have told the path to the first one. */
    @Test
    void namesThePath() {
        assertEquals(List.of("--takeover", "-v", "/run/s"), SuccessorProcess.options(List.of("-v"), SOCKET));
        assertEquals(List.of("--takeover", "--", "/run/s"), SuccessorProcess.options(List.of("--", "/run/s"), SOCKET));
    }

    @Test
    void leavesAContainerAloneThatWouldEnd() throws EscrowException {
        SuccessorProcess.checkProcess(2);
        EscrowException refused = assertThrows(EscrowException.class, () -> SuccessorProcess.checkProcess(1));
        assertTrue(refused.text().startsWith("escrowd is process 1 of its container"), refused.text());
    }
}
