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
import java.net.MalformedURLException;
import java.net.URL;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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
    void namesAFileSoThatItIsFoundFromAnywhere() throws Exception {
        Path here = Path.of("").toAbsolutePath();
        Path program = here.relativize(Files.createFile(directory.resolve("escrowd")));

        assertEquals(List.of(here.resolve(program).toString()), DaemonLauncher.find(program));
    }

    @Test
    void runsInTheRootDirectoryUnlessThePathOfTheSocketIsTooLong() {
        Path longest = Path.of("/" + "d".repeat(98)).resolve("s");
        assertEquals(
                SocketPath.MAX_LENGTH, SocketPath.control(longest).toString().length() + 2);
        assertEquals(Path.of("/"), DaemonLauncher.directory(longest));
        Path longer = longest.resolveSibling("abcd");
        assertEquals(longer.getParent(), DaemonLauncher.directory(longer));
    }

    /** A class loader whose places can't be had: of a URL that is no URI, and of one where nothing is. */
    @ParameterizedTest
    @ValueSource(strings = {"file:/a b/", "file:/no/such/place/"})
    void leavesNoCopyBehindWhenItCanNotBeMade(String place) throws Exception {
        ClassLoader loader = new ClassLoader(null) {
            @Override
            public URL getResource(String name) {
                try {
                    return new URL(place + name);
                } catch (MalformedURLException e) {
                    throw new IllegalArgumentException(e);
                }
            }
        };
        Set<Path> before = copies();
        EscrowException e = assertThrows(EscrowException.class, () -> DaemonCopy.make(loader));
        assertTrue(e.text().startsWith("the daemon's jars can't be copied to "), e.text());
        Set<Path> left = copies();
        left.removeAll(before);
        assertEquals(Set.of(), left);
    }

    private static Set<Path> copies() throws IOException {
        try (DirectoryStream<Path> found =
                Files.newDirectoryStream(Path.of(System.getProperty("java.io.tmpdir")), "escrowd-temporary-*")) {
            Set<Path> copies = new HashSet<>();
            found.forEach(copies::add);
            return copies;
        }
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
                "escrowd not found: put escrow-daemon and Netty 4.2 on the class path, name it with DaemonLaunch.from, or set ESCROWD"
                        + " to the path of escrowd.jar",
                e.text());
    }
}
