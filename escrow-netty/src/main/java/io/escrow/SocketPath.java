package io.escrow;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Errors;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;

/** Checks the path of the daemon's socket, and finds the files beside it. */
public final class SocketPath {

    /** The longest path of a socket, in bytes: {@code sun_path} without its closing zero (unix(7)). */
    public static final int MAX_LENGTH = 107;

    /** The environment variable that names the path when none is given. */
    public static final String ENVIRONMENT = "ESCROW_PATH";

    private SocketPath() {}

    /**
     * Chooses and checks a path.
     *
     * @param given the path, or {@code null} to take it from {@value #ENVIRONMENT} in the environment
     * @return the path; it is short enough, and its directory exists
     * @throws EscrowException if there is no path, it is too long, its directory does not exist, or something other
     *     than a socket is there; the text says which
     */
    public static Path check(String given) throws EscrowException {
        String path = given == null ? System.getenv(ENVIRONMENT) : given;
        if (path == null || path.isEmpty()) {
            throw new EscrowException(
                    Status.EINVAL, "no path of a socket: give one, or set " + ENVIRONMENT + " in the environment");
        }
        int length = path.getBytes(UTF_8).length;
        if (length > MAX_LENGTH) {
            throw new EscrowException(
                    Status.ENAMETOOLONG,
                    "length of the socket's path: " + length + " bytes (expected: <= " + MAX_LENGTH + "): " + path);
        }
        Path checked = parse(path);
        Path directory = checked.toAbsolutePath().getParent();
        if (directory == null || !Files.isDirectory(directory)) {
            throw new EscrowException(Status.ENOENT, "no such directory for the socket: " + directory);
        }
        if (Files.exists(checked, LinkOption.NOFOLLOW_LINKS) && !isSocket(checked)) {
            throw new EscrowException(Status.EINVAL, "not a socket: " + path);
        }
        return checked;
    }

    private static Path parse(String path) throws EscrowException {
        try {
            return Path.of(path);
        } catch (InvalidPathException e) {
            throw new EscrowException(
                    Status.EINVAL,
                    "the socket's path has characters that file names can't have in this locale ("
                            + System.getProperty("sun.jnu.encoding") + "): set LC_ALL=C.UTF-8, or choose another path: "
                            + path,
                    e);
        }
    }

    /**
     * Returns whether a path leads to a socket, possibly through a symbolic link.
     *
     * @param path the path
     * @return {@code true} if it does; {@code false} also when the path does not exist
     */
    public static boolean isSocket(Path path) {
        try {
            // Bits of S_IFMT in st_mode, inode(7): the attribute "other" would also mean devices and FIFOs.
            return ((Integer) Files.getAttribute(path, "unix:mode") & 0170000) == 0140000;
        } catch (IOException | UnsupportedOperationException e) {
            return false;
        }
    }

    /**
     * Returns whether a process listens on a socket. Does not wait, even when the backlog of the listener is full.
     *
     * @param path the path of the socket
     * @return whether a connection is possible, now or when the listener accepts it
     */
    public static boolean isServed(Path path) {
        // Not by the JDK: it takes 106 bytes at most.
        Epoll.ensureAvailability();
        Socket probe = Socket.newSocketDomain();
        try {
            probe.connect(new DomainSocketAddress(path.toFile()));
            return true;
        } catch (IOException e) {
            // Only the text of strerror(3), in the language of this process, shows which error it was.
            String busy = new Errors.NativeIoException("connect", Errors.ERRNO_EAGAIN_NEGATIVE).getMessage();
            return busy.equals(e.getMessage());
        } finally {
            closeQuietly(probe);
        }
    }

    private static void closeQuietly(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            // Nothing was sent on it.
        }
    }

    /**
     * Returns the path of the socket on which a daemon answers operators.
     *
     * @param socket the path of the daemon's socket
     * @return the path of the control socket
     */
    public static Path control(Path socket) {
        return socket.resolveSibling(socket.getFileName() + ".ctl");
    }

    /**
     * Returns the file that a daemon keeps locked as long as it lives. The first line of the file is the process number
     * of the daemon. The second line is the process number of the client that has the session; 0 if there is none, or
     * its number is not known.
     *
     * @param socket the path of the daemon's socket
     * @return the path of the lock file, which may not exist
     */
    public static Path lockFile(Path socket) {
        return socket.resolveSibling(socket.getFileName() + ".lock");
    }
}
