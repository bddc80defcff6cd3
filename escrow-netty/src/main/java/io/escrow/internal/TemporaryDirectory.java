package io.escrow.internal;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * A directory of this user for files that are needed for seconds. A process that is killed can't remove its own: the next
 * one does, when it makes one, as soon as the other one is so old that nobody can need it.
 */
public final class TemporaryDirectory implements AutoCloseable {

    private static final String PREFIX = "escrowd-temporary-";
    private static final Pattern NAME = Pattern.compile(PREFIX + "\\d+");
    private static final Duration OLD = Duration.ofHours(1);

    private final Path path;

    private TemporaryDirectory(Path path) {
        this.path = path;
    }

    /**
     * Makes a directory under {@code java.io.tmpdir}, and removes what killed processes of this user have left there.
     *
     * @throws IOException if none can be made
     */
    public static TemporaryDirectory make() throws IOException {
        return make(Path.of(System.getProperty("java.io.tmpdir")));
    }

    static TemporaryDirectory make(Path parent) throws IOException {
        TemporaryDirectory made =
                new TemporaryDirectory(Files.createTempDirectory(parent, PREFIX).toAbsolutePath());
        made.removeOld(parent);
        return made;
    }

    /** Returns the directory. */
    public Path path() {
        return path;
    }

    private void removeOld(Path parent) {
        try (DirectoryStream<Path> all = Files.newDirectoryStream(
                parent, entry -> NAME.matcher(entry.getFileName().toString()).matches())) {
            FileTime limit = FileTime.from(Instant.now().minus(OLD));
            Object user = Files.getOwner(path);
            for (Path entry : all) {
                if (Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS)
                        && Files.getOwner(entry, LinkOption.NOFOLLOW_LINKS).equals(user)
                        && Files.getLastModifiedTime(entry, LinkOption.NOFOLLOW_LINKS)
                                        .compareTo(limit)
                                < 0) {
                    remove(entry);
                }
            }
        } catch (IOException e) {
            // Another process removes it at the same time, or the next one does.
        }
    }

    private static void remove(Path directory) throws IOException {
        for (Path file : files(directory)) {
            Files.deleteIfExists(file);
        }
        Files.deleteIfExists(directory);
    }

    /** Returns the files that are in a directory, in the order of their names. */
    private static List<Path> files(Path directory) throws IOException {
        List<Path> files = new ArrayList<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(directory)) {
            all.forEach(files::add);
        }
        files.sort(null);
        return files;
    }

    /**
     * Returns the files that are in the directory, in the order of their names.
     *
     * @throws IOException if it can't be read
     */
    public List<Path> files() throws IOException {
        return files(path);
    }

    /** Deletes the directory and its files. */
    @Override
    public void close() {
        try {
            remove(path);
        } catch (IOException e) {
            // The next process that makes one finds it.
        }
    }
}
