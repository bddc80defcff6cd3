package io.escrow.testing;

import static org.awaitility.Awaitility.await;

import io.escrow.OwnedDescriptor;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;

/**
 * A file that a test opens and passes around, and the descriptors of it that this process has open.
 *
 * <p>Only its own are counted: class loaders and event loops open and close others at any time.
 */
public final class TestFile {

    private static final Path DESCRIPTORS = Path.of("/proc/self/fd");

    private final Path path;

    /** Creates the file. */
    public TestFile(Path directory, String name) throws IOException {
        Epoll.ensureAvailability(); // loads what opens it
        path = directory.toRealPath().resolve(name);
        Files.writeString(path, name);
    }

    /** Opens it; the caller closes the descriptor. */
    public FileDescriptor open() throws IOException {
        return FileDescriptor.from(path.toFile());
    }

    /** Opens it; the caller releases the descriptor. */
    public OwnedDescriptor openOwned() throws IOException {
        return new OwnedDescriptor(open().intValue());
    }

    /** Tells whether a descriptor is open, and is one of this file. */
    public boolean is(FileDescriptor descriptor) throws IOException {
        return isTarget(DESCRIPTORS.resolve(Integer.toString(descriptor.intValue())));
    }

    /** Counts the descriptors of this file that are open. */
    public int openCount() throws IOException {
        int count = 0;
        try (DirectoryStream<Path> all = Files.newDirectoryStream(DESCRIPTORS)) {
            for (Path descriptor : all) {
                count += isTarget(descriptor) ? 1 : 0;
            }
        }
        return count;
    }

    /** Waits until as many descriptors of this file are open. */
    public void awaitOpenCount(int expected) {
        await().pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(5))
                .until(this::openCount, count -> count == expected);
    }

    private boolean isTarget(Path descriptor) throws IOException {
        try {
            return Files.readSymbolicLink(descriptor).equals(path);
        } catch (NoSuchFileException e) {
            return false; // closed meanwhile
        }
    }
}
