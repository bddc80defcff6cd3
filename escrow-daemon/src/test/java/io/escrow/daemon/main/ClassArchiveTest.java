package io.escrow.daemon.main;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClassArchiveTest {

    @TempDir
    private Path directory;

    private Path archive;

    @BeforeEach
    void makeArchive() throws IOException {
        archive = directory.resolve("an archive.jsa");
        Files.writeString(directory.resolve("an archive.jsa.outside"), "a.B\na.B$1\n");
    }

    private static String mapped(String file) {
        return "800000000-800411000 rw-p 00001000 fe:00 1234                       " + file;
    }

    private static List<String> maps(String file) {
        return List.of(
                "55d3c0b8e000-55d3c0b8f000 r--p 00000000 fe:00 99 /usr/lib/jvm/bin/java",
                "55d3c1f6b000-55d3c1f8c000 rw-p 00000000 00:00 0                          [heap]",
                mapped("/usr/lib/jvm/lib/server/classes.jsa"),
                "7f0000000000-7f0000001000 rw-p 00000000 00:00 0",
                file);
    }

    @Test
    void findsWhatIsOutsideTheArchiveThatIsMapped() throws IOException {
        assertEquals(Optional.of(List.of("a.B", "a.B$1")), ClassArchive.outside(maps(mapped(archive.toString()))));
    }

    @Test
    void knowsNothingWithoutThatArchive() throws IOException {
        assertEquals(Optional.empty(), ClassArchive.outside(maps(mapped("/usr/lib/jvm/lib/modules"))));
    }

    @Test
    void knowsNothingOfAnArchiveThatWasReplaced() throws IOException {
        assertEquals(Optional.empty(), ClassArchive.outside(maps(mapped(archive + " (deleted)"))));
    }

    @Test
    void knowsNothingOfAnArchiveWithoutAList() throws IOException {
        Files.delete(directory.resolve("an archive.jsa.outside"));
        assertEquals(Optional.empty(), ClassArchive.outside(maps(mapped(archive.toString()))));
    }

    @Test
    void thisProcessHasNoSuchArchive() {
        assertEquals(Optional.empty(), ClassArchive.outside());
    }
}
