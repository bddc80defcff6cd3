package io.escrow.daemon.socket;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.EscrowException;
import io.escrow.SocketPath;
import io.escrow.Status;
import io.escrow.daemon.config.Access;
import io.escrow.internal.Futures;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Puts a listening socket at its path atomically. The socket is bound in a private directory, gets its mode there, and
 * is renamed to its path when it listens. So no client can connect before the socket has its mode, and every client
 * that finds the socket can connect.
 */
public final class SocketPublication implements AutoCloseable {

    private static final long RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    private final Path path;
    private Path privateDirectory;
    private Path socket;
    private FileChannel directory;
    private Object published;

    public SocketPublication(Path path) {
        this.path = path;
    }

    /**
     * Creates the private directory.
     *
     * @return the name to bind the socket to: unique, and short even when the path is long
     * @throws EscrowException if no directory can be made next to the path
     */
    public String bindAddress() throws EscrowException {
        try {
            Path parent = path.toAbsolutePath().getParent();
            privateDirectory = Files.createTempDirectory(
                    parent,
                    ".escrowd",
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            directory = FileChannel.open(privateDirectory, StandardOpenOption.READ);
            // WaitingClients finds the clients that wait by this name.
            socket = privateDirectory.resolve(privateDirectory.getFileName());
            return descriptorPath(privateDirectory.toRealPath()) + "/" + socket.getFileName();
        } catch (IOException e) {
            throw new EscrowException(Futures.statusOf(e), "no socket can be made for \"" + path + "\": " + e, e);
        }
    }

    /** Returns a short name, in /proc, of a file or directory that this process has open. */
    public static String descriptorPath(Path open) throws IOException {
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path descriptor : descriptors) {
                if (linkTarget(descriptor).equals(open)) {
                    return descriptor.toString();
                }
            }
        }
        throw new IOException("\"" + open + "\" is not among the open descriptors");
    }

    private static Path linkTarget(Path link) throws IOException {
        try {
            return Files.readSymbolicLink(link);
        } catch (NoSuchFileException e) {
            return Path.of(""); // closed meanwhile
        }
    }

    /** Moves the socket, which already listens, to its path, and replaces any file there. */
    public void publish(Access access) throws EscrowException {
        try {
            permit(socket, access.mode(), access);
            Object moving =
                    Files.readAttributes(socket, BasicFileAttributes.class).fileKey();
            Files.move(socket, path, StandardCopyOption.ATOMIC_MOVE);
            published = moving;
            Files.delete(privateDirectory);
        } catch (IOException e) {
            throw new EscrowException(Futures.statusOf(e), "the socket can't be put at \"" + path + "\": " + e, e);
        }
    }

    /** Goes on with a socket that another daemon has put at its path, if it is still there. */
    public void adopt(boolean isThere) {
        try {
            published = isThere ? fileKey(path) : null;
        } catch (IOException e) {
            published = null; // Not to be seen, so nobody finds it.
        }
    }

    /** Returns whether this socket is at its path. */
    public boolean isPublished() {
        try {
            return published != null && published.equals(fileKey(path));
        } catch (IOException e) {
            return false; // Not to be seen, so nobody finds it.
        }
    }

    /**
     * Checks that nothing is at a path but, possibly, the socket of a process that has ended.
     *
     * @param patience how long to wait while a process listens, because that process may be ending
     * @throws EscrowException if there is anything else
     */
    public static void checkFree(Path path, Duration patience) throws EscrowException {
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        if (!SocketPath.isSocket(path)) {
            throw new EscrowException(Status.EINVAL, "not a socket: \"" + path + "\"");
        }
        // A path that is too long for an address can't be the main socket of another daemon.
        if (path.toString().getBytes(UTF_8).length <= SocketPath.MAX_LENGTH && isServed(path, patience)) {
            throw new EscrowException(Status.EADDRINUSE, "another process listens on \"" + path + "\"");
        }
    }

    /** Returns whether a process listens on a socket, even when the one that may be ending has had time for it. */
    static boolean isServed(Path path, Duration patience) {
        long start = System.nanoTime();
        while (SocketPath.isServed(path)) {
            if (System.nanoTime() - start > patience.toNanos()) {
                return true;
            }
            LockSupport.parkNanos(RETRY_NANOS);
        }
        return false;
    }

    /** Sets the mode of a file. If exactly one group has access, the file gets that group. */
    static void permit(Path file, int mode, Access access) throws IOException {
        if (access.groups().size() == 1) {
            Integer group = access.groups().iterator().next();
            if (!group.equals(Files.getAttribute(file, "unix:gid"))) {
                Files.setAttribute(file, "unix:gid", group);
            }
        }
        Files.setAttribute(file, "unix:mode", mode);
    }

    /** Removes the socket if it is still this one. */
    @Override
    public void close() throws IOException {
        if (directory != null) {
            directory.close();
        }
        if (published != null && published.equals(fileKey(path))) {
            Files.delete(path);
        }
        if (published == null && socket != null) {
            Files.deleteIfExists(socket);
        }
        if (published == null && privateDirectory != null) {
            Files.deleteIfExists(privateDirectory);
        }
    }

    private static Object fileKey(Path path) throws IOException {
        return Files.exists(path)
                ? Files.readAttributes(path, BasicFileAttributes.class).fileKey()
                : null;
    }
}
