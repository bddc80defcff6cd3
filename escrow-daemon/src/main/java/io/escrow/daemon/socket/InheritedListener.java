package io.escrow.daemon.socket;

import io.escrow.EscrowException;
import io.escrow.InheritedSocket;
import io.escrow.InheritedSockets;
import io.escrow.SocketPath;
import io.escrow.Status;
import io.escrow.daemon.config.Access;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.kernel.NativeTransport;
import io.escrow.internal.Futures;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A socket that already listens when the daemon starts: systemd has bound it, and keeps it when the daemon has gone.
 */
public final class InheritedListener implements AutoCloseable {

    // Bits of st_mode, inode(7).
    private static final int MODE = 0777;
    private static final int OWNER = 0600;

    private final int descriptor;
    private boolean taken;

    /**
     * Creates a listener that owns a descriptor and closes it unless it is taken; a negative number stands for no
     * descriptor.
     */
    public InheritedListener(int descriptor) {
        this.descriptor = descriptor;
    }

    /**
     * Takes the socket with which this process was started.
     *
     * @return its descriptor, which the caller must close; {@link DaemonOptions#BIND} if there is none
     * @throws EscrowException if there are several sockets, or Netty's native library can't be used on this machine
     */
    public static int inherited(InheritedSockets sockets) throws EscrowException {
        NativeTransport.require();
        List<InheritedSocket> all = sockets.left();
        if (all.isEmpty()) {
            return DaemonOptions.BIND;
        }
        if (all.size() > 1) {
            throw new EscrowException(
                    Status.EINVAL,
                    "inherited descriptors: " + all.size() + " (expected: 1, which is the daemon's socket): " + all);
        }
        return sockets.take(all.get(0).number());
    }

    /**
     * Returns the path of a socket.
     *
     * @throws EscrowException if clients can't connect to the socket
     */
    public static Path path(int descriptor) throws EscrowException {
        InheritedSocket socket = InheritedSocket.look(descriptor, "");
        if (socket.kind() == InheritedSocket.Kind.UNIX_LISTENER
                && socket.address() instanceof DomainSocketAddress address
                && address.path().startsWith("/")) {
            Path path = Path.of(address.path());
            if (SocketPath.isSocket(path)) {
                return path;
            }
            throw new EscrowException(Status.ENOENT, socket + ": its path no longer exists: bind the socket again");
        }
        throw new EscrowException(
                Status.EINVAL, socket + " (expected: a UNIX-domain stream socket that listens at an absolute path)");
    }

    /**
     * Checks that the socket is at the path where clients look for it.
     *
     * @return the same access, with the mode of the socket
     * @throws EscrowException naming both paths if the socket is at another path
     */
    public Access check(Path wanted, Access access) throws EscrowException {
        Path actual = path(descriptor);
        if (!isSame(actual, wanted)) {
            throw new EscrowException(
                    Status.EINVAL,
                    "inherited socket is at \"" + actual + "\" (expected: \"" + wanted
                            + "\"): give the same path to both, or none to escrowd");
        }
        return new Access(mode(actual) | OWNER, access.users(), access.groups());
    }

    private static boolean isSame(Path one, Path other) {
        try {
            return Files.exists(other) && Files.isSameFile(one, other);
        } catch (IOException e) {
            return false; // Unknown: treated as another file.
        }
    }

    /**
     * Checks that the socket at a path has the wanted permissions.
     *
     * @throws EscrowException naming both modes if they differ
     */
    public static void checkMode(Path path, int wanted) throws EscrowException {
        int mode = mode(path);
        if (mode != wanted) {
            throw new EscrowException(
                    Status.EINVAL,
                    "mode of the inherited socket \"" + path + "\": " + Integer.toOctalString(mode) + " (expected: "
                            + Integer.toOctalString(wanted) + "): set it where the socket is bound (SocketMode=)");
        }
    }

    private static int mode(Path path) throws EscrowException {
        try {
            return (Integer) Files.getAttribute(path, "unix:mode") & MODE;
        } catch (IOException e) {
            throw new EscrowException(Futures.statusOf(e), "\"" + path + "\" can't be examined: " + e, e);
        }
    }

    /** Returns the path of the socket. */
    public Path path() throws EscrowException {
        return path(descriptor);
    }

    public boolean isPresent() {
        return descriptor >= 0;
    }

    /** Returns the descriptor, which the caller must close. */
    public int take() {
        taken = true;
        return descriptor;
    }

    @Override
    public void close() {
        if (isPresent() && !taken) {
            try {
                new FileDescriptor(descriptor).close();
            } catch (IOException e) {
                // It was not open.
            }
        }
    }
}
