package io.escrow;

/**
 * Enumerates the outcomes of a request, numbered as in {@code errno(3)} on Linux.
 *
 * <p>Some come over the wire, as answers of the daemon; the library may fail with these too, before it has asked. The
 * others never leave the process in which they occur. What to do about each is in the tables "Status codes" of
 * PROTOCOL.md.
 */
public enum Status {
    /** The request was carried out. */
    OK(0, Origin.WIRE),
    /** The slot, the file or whatever else was asked for does not exist. */
    ENOENT(2, Origin.WIRE),
    /** A system call, or a callback of the caller, failed in a way that has no status of its own. */
    EIO(5, Origin.LOCAL),
    /** The descriptor is closed, or is of a kind that cannot be used for this. */
    EBADF(9, Origin.WIRE),
    /** The caller may not do this. */
    EACCES(13, Origin.WIRE),
    /** An argument, an option or a variable of the environment is not what it must be. */
    EINVAL(22, Origin.WIRE),
    /** No more descriptors can be open: the daemon, or this process, has as many as it may. */
    EMFILE(24, Origin.WIRE),
    /** The daemon holds as many slots or payload bytes as it may. */
    ENOSPC(28, Origin.WIRE),
    /** The path of the socket is too long. */
    ENAMETOOLONG(36, Origin.LOCAL),
    /** The other side does not speak this protocol, or another version of it; the session ends. */
    EPROTO(71, Origin.WIRE),
    /** The payload or the farewell is larger than a slot may hold. */
    EMSGSIZE(90, Origin.WIRE),
    /** The platform, the JVM or the other side lacks what this needs. */
    EOPNOTSUPP(95, Origin.WIRE),
    /** Another socket is bound to the address already. */
    EADDRINUSE(98, Origin.LOCAL),
    /** The connection ended before the answer came. */
    ECONNRESET(104, Origin.LOCAL),
    /** The time allowed for the answer, for the connection, or by the daemon for a part of the session has passed. */
    ETIMEDOUT(110, Origin.WIRE),
    /** Nobody listens on the socket. */
    ECONNREFUSED(111, Origin.LOCAL),
    /** An operator has ended the session. */
    ECANCELED(125, Origin.WIRE);

    private enum Origin {
        WIRE,
        LOCAL
    }

    private static final Status[] VALUES = values();

    private final int errno;
    private final Origin origin;

    Status(int errno, Origin origin) {
        this.errno = errno;
        this.origin = origin;
    }

    /**
     * Returns the number of this status.
     *
     * @return the positive errno; 0 for {@link #OK}
     */
    public int errno() {
        return errno;
    }

    /**
     * Returns whether the daemon may answer a request with this status.
     *
     * @return {@code false} if it never comes over the wire
     */
    public boolean isOnWire() {
        return origin == Origin.WIRE;
    }

    /**
     * Finds a status by the number of an error.
     *
     * @param errno a positive errno, or 0
     * @return the status; {@link #EIO} for an error that has none
     */
    public static Status of(int errno) {
        for (Status status : VALUES) {
            if (status.errno == errno) {
                return status;
            }
        }
        return EIO;
    }

    /**
     * Finds the status that came over the wire as a number.
     *
     * @param errno a positive errno, or 0
     * @return the status; {@link #EPROTO} for a number that this version does not know there
     */
    public static Status ofWire(int errno) {
        Status status = of(errno);
        return status.isOnWire() ? status : EPROTO;
    }
}
