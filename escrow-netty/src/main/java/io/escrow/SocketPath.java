package io.escrow;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;

/** Checks the path of the daemon's socket, and finds what stands beside it. */
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
     * @return the path, short enough, in a directory that exists
     * @throws EscrowException naming what is wrong with it: no path at all, too long, no such directory, or something
     *     other than a socket is there
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
        Path checked = Path.of(path);
        Path directory = checked.toAbsolutePath().getParent();
        if (directory == null || !Files.isDirectory(directory)) {
            throw new EscrowException(Status.ENOENT, "no such directory for the socket: " + directory);
        }
        if (Files.exists(checked, LinkOption.NOFOLLOW_LINKS) && !isSocket(checked)) {
            throw new EscrowException(Status.EINVAL, "not a socket: " + path);
        }
        return checked;
    }

    /**
     * Tells whether a socket is at a path, or what a symbolic link there leads to is one.
     *
     * @param path the path
     * @return {@code false} also when nothing is there
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
     * Tells whether somebody listens on a socket. Does not wait, also when the listener's backlog is full.
     *
     * @param path the path of the socket
     * @return whether a connection is possible, now or when the listener gets to it
     */
    public static boolean isServed(Path path) {
        try (SocketChannel probe = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            probe.configureBlocking(false);
            probe.connect(UnixDomainSocketAddress.of(path));
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * Returns the file that the daemon of a socket holds locked as long as it lives. Its first line is the daemon's
     * process number, its second the one of the client whose session is on, 0 when there is none or it is not known.
     *
     * @param socket the path of the socket
     * @return the path of the lock file, which may not exist
     */
    public static Path lockFile(Path socket) {
        return socket.resolveSibling(socket.getFileName() + ".lock");
    }
}
