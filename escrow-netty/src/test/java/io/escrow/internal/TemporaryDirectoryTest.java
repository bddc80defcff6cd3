package io.escrow.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TemporaryDirectoryTest {

    @TempDir
    Path parent;

    /** Makes a directory with a file, as a process that was killed some time ago has left it. */
    private Path left(String name, int minutesAgo) throws IOException {
        Path directory = Files.createDirectory(parent.resolve(name));
        Files.createFile(directory.resolve("0.jar"));
        Files.setLastModifiedTime(directory, FileTime.from(Instant.now().minus(minutesAgo, ChronoUnit.MINUTES)));
        return directory;
    }

    @Test
    void removesItself() throws IOException {
        Path path;
        try (TemporaryDirectory directory = TemporaryDirectory.make(parent)) {
            path = directory.path();
            Path second = Files.createFile(path.resolve("b"));
            Path first = Files.createFile(path.resolve("a"));
            assertEquals(List.of(first, second), directory.files());
        }
        assertFalse(Files.exists(path));
    }

    @Test
    void removesWhatKilledProcessesHaveLeft() throws IOException {
        Path one = left("escrowd-temporary-1", 61);
        Path other = left("escrowd-temporary-8150000970714643517", 600);
        TemporaryDirectory.make(parent).close();
        assertFalse(Files.exists(one));
        assertFalse(Files.exists(other));
    }

    @Test
    void leavesEverythingElse() throws IOException {
        Path young = left("escrowd-temporary-1", 59);
        Path alike = left("escrowd-temporary-x1", 600);
        Path users = left("escrowd1", 600);
        Path linked = left("linked", 600);
        Files.createSymbolicLink(parent.resolve("escrowd-temporary-2"), linked);
        TemporaryDirectory.make(parent).close();
        for (Path kept : List.of(young, alike, users, linked)) {
            assertTrue(Files.exists(kept.resolve("0.jar")), kept::toString);
        }
    }
}
