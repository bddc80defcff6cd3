package io.escrow;

import io.netty.channel.ChannelException;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;

/**
 * Hands out the sockets that this process was started with, each one once. Systemd, or a program like it, has opened
 * them and passed them on (sd_listen_fds(3)).
 *
 * <p>Java can neither remove the variables that describe them from the environment, nor mark the descriptors
 * close-on-exec. Child processes see the variables and ignore them, because the variables name another process. {@link
 * ProcessBuilder} closes all descriptors above 2 in a child; a child that is started in another way has them open. Any
 * thread may use this class.
 */
public final class InheritedSockets {

    private static final int FIRST = 3;
    /** More than any program passes on, and few enough to be examined one by one. */
    private static final int MOST = 4_096;

    private static final String LISTEN_PID = "LISTEN_PID";
    private static final String LISTEN_FDS = "LISTEN_FDS";
    private static final String LISTEN_FDNAMES = "LISTEN_FDNAMES";
    private static final String NO_NAME = "unknown";

    private static InheritedSockets own;

    private final TreeMap<Integer, String> left;

    /**
     * Takes over descriptors that this process has received in another way.
     *
     * @param names the open descriptors and their names; the caller uses them only through this object from now on
     */
    public InheritedSockets(Map<Integer, String> names) {
        this.left = new TreeMap<>(names);
    }

    /**
     * Returns the sockets that the environment of this process describes. Each call returns the same object, so that no
     * socket is used twice.
     *
     * @return the sockets; none if {@code LISTEN_PID} is not set, or names another process
     * @throws EscrowException if {@code LISTEN_PID}, {@code LISTEN_FDS} or {@code LISTEN_FDNAMES} has a wrong value,
     *     which the text names
     */
    public static synchronized InheritedSockets ofThisProcess() throws EscrowException {
        if (own == null) {
            own = new InheritedSockets(
                    parse(System.getenv(), ProcessHandle.current().pid()));
        }
        return own;
    }

    /** Returns the descriptors, with their names, that an environment describes for a process. */
    static Map<Integer, String> parse(Map<String, String> environment, long pid) throws EscrowException {
        Map<Integer, String> names = new TreeMap<>();
        String meant = environment.get(LISTEN_PID);
        String count = environment.get(LISTEN_FDS);
        if (meant == null || count == null || number(LISTEN_PID, meant, 1, Integer.MAX_VALUE) != pid) {
            return names;
        }
        int descriptors = number(LISTEN_FDS, count, 0, MOST);
        String given = environment.get(LISTEN_FDNAMES);
        String[] each = given == null ? null : given.split(":", -1);
        if (each != null && each.length != descriptors) {
            throw new EscrowException(
                    Status.EINVAL, LISTEN_FDNAMES + ": \"" + given + "\" (expected: " + descriptors + " names)");
        }
        for (int i = 0; i < descriptors; i++) {
            names.put(FIRST + i, each == null ? NO_NAME : each[i]);
        }
        return names;
    }

    private static int number(String variable, String value, int least, int most) throws EscrowException {
        try {
            int number = Integer.parseInt(value);
            if (number >= least && number <= most) {
                return number;
            }
        } catch (NumberFormatException e) {
            // It is reported as out of range.
        }
        throw new EscrowException(
                Status.EINVAL, variable + ": \"" + value + "\" (expected: " + least + ".." + most + ")");
    }

    /**
     * Examines the descriptors that were not taken yet.
     *
     * @return the descriptors, in ascending order
     */
    public synchronized List<InheritedSocket> left() {
        List<InheritedSocket> sockets = new ArrayList<>();
        left.forEach((number, name) -> sockets.add(InheritedSocket.look(number, name)));
        return sockets;
    }

    /**
     * Takes a socket, and makes it non-blocking for all processes that share it. Netty needs that, and systemd passes
     * on blocking sockets unless {@code NonBlocking=} is set.
     *
     * @param number the descriptor
     * @return the same number; the caller closes the descriptor
     * @throws EscrowException if it is not an open socket; then it is not taken
     * @throws IllegalArgumentException if there is no such descriptor, or it was taken before
     */
    public synchronized int take(int number) throws EscrowException {
        int duplicate = duplicate(number);
        try {
            new FileDescriptor(duplicate).close();
        } catch (IOException e) {
            throw new EscrowException(
                    Status.EIO, "the duplicate of descriptor " + number + " can't be closed: " + e, e);
        }
        left.remove(number);
        return number;
    }

    /**
     * Duplicates a socket, and makes it non-blocking as {@link #take} does. The socket itself is not taken: whoever uses
     * the duplicate, and can't go on, leaves the socket for the next who tries.
     *
     * @param number the descriptor
     * @return the duplicate, which the caller closes
     * @throws EscrowException if it is not an open socket
     * @throws IllegalArgumentException if there is no such descriptor, or it was taken before
     */
    public synchronized int duplicate(int number) throws EscrowException {
        Epoll.ensureAvailability();
        String name = left.get(number);
        if (name == null) {
            throw new IllegalArgumentException("inherited descriptor: " + number + " (expected: one of " + left + ")");
        }
        try {
            return nonBlockingDuplicate(number);
        } catch (ChannelException | IOException e) {
            throw new EscrowException(
                    Status.EBADF, InheritedSocket.look(number, name) + " can't be used as a socket: " + e, e);
        }
    }

    /**
     * Closes the descriptors that were not taken.
     *
     * @return what was closed
     */
    public synchronized Collection<InheritedSocket> closeRest() {
        List<InheritedSocket> closed = left();
        left.clear();
        for (InheritedSocket socket : closed) {
            try {
                new FileDescriptor(socket.number()).close();
            } catch (IOException e) {
                // It was not open.
            }
        }
        return closed;
    }

    /**
     * Java has no fcntl(2), but Netty sets the flag of each descriptor that it receives. So this process sends it to
     * itself.
     */
    private static int nonBlockingDuplicate(int number) throws IOException {
        new Socket(number); // The constructor asks for the address, and fails for everything that is not a socket.
        DomainSocketAddress name = new DomainSocketAddress("\0escrow-" + UUID.randomUUID());
        Socket loop = Socket.newSocketDomainDgram();
        try {
            loop.bind(name);
            loop.connect(name);
            loop.sendFd(number);
            int received = loop.recvFd();
            if (received < 0) {
                throw new IOException("recvmsg: " + received);
            }
            return received;
        } finally {
            loop.close();
        }
    }
}
