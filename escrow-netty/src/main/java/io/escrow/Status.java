package io.escrow;

/**
 * Enumerates the outcomes of a request, numbered as in {@code errno(3)} on Linux.
 *
 * <p>What each means and what to do about it is in the table "Status codes" of PROTOCOL.md.
 */
public enum Status {
    /** The request was carried out. */
    OK(0),
    /** The slot is empty. */
    ENOENT(2),
    /** The descriptor could not be sent: it was closed, or is of a kind that cannot be passed on. */
    EBADF(9),
    /** The caller may not do this. */
    EACCES(13),
    /** An argument is out of range. */
    EINVAL(22),
    /** The daemon holds as many descriptors as it may. */
    EMFILE(24),
    /** The daemon holds as many slots or payload bytes as it may. */
    ENOSPC(28),
    /** The path of the socket is too long. */
    ENAMETOOLONG(36),
    /** The bytes on the wire are not of this protocol, or of another version; the session ends. */
    EPROTO(71),
    /** The payload is larger than a slot may hold. */
    EMSGSIZE(90),
    /** This platform, or this JVM, lacks what the escrow needs. */
    EOPNOTSUPP(95),
    /** The connection to the daemon ended before the answer came. */
    ECONNRESET(104),
    /** The time allowed for the answer, for the connection, or by the daemon for a part of the session has passed. */
    ETIMEDOUT(110),
    /** Nobody listens on the socket. */
    ECONNREFUSED(111),
    /** An operator has ended the session. */
    ECANCELED(125);

    private static final Status[] VALUES = values();

    private final int errno;

    Status(int errno) {
        this.errno = errno;
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
     * Finds a status by its number.
     *
     * @param errno a positive errno, or 0
     * @return the status; {@link #EPROTO} for a number that this version does not know
     */
    public static Status of(int errno) {
        for (Status status : VALUES) {
            if (status.errno == errno) {
                return status;
            }
        }
        return EPROTO;
    }
}
