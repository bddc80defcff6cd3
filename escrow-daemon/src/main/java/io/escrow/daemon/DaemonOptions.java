package io.escrow.daemon;

import io.escrow.EscrowException;
import io.escrow.SocketPath;
import io.escrow.Status;
import io.escrow.codec.Limits;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Says how a daemon runs.
 *
 * @param path the path of its socket
 * @param force whether to replace the socket of a dead daemon
 * @param verbose whether to print every message on stderr
 * @param limits the bounds of a session
 * @param storeLimits the bounds of what is held in all
 * @param timeouts how long a client may keep the others waiting
 * @param backlog how many clients may wait in the listen backlog, 1 or more; the kernel allows {@code
 *     net.core.somaxconn} at most
 * @param access who may use the daemon
 * @param unclaimed what becomes of slots while no session is on
 */
public record DaemonOptions(
        Path path,
        boolean force,
        boolean verbose,
        Limits limits,
        StoreLimits storeLimits,
        SessionTimeouts timeouts,
        int backlog,
        Access access,
        UnclaimedOptions unclaimed) {

    /** What a daemon needs for itself: its jars, its sockets, its log. */
    private static final int OWN_DESCRIPTORS = 64;

    private static final Pattern OPEN_FILES = Pattern.compile("Max open files +(\\w+)");

    /** The most slots unless told otherwise. */
    public static final int DEFAULT_SLOTS = 1_000_000;

    /** How many clients may wait unless told otherwise. */
    public static final int DEFAULT_BACKLOG = 4_096;

    /**
     * Checks the backlog; an {@link IllegalArgumentException} names the value when it is out of range.
     *
     * @param path the path of its socket
     * @param force whether to replace the socket of a dead daemon
     * @param verbose whether to print every message on stderr
     * @param limits the bounds of a session
     * @param storeLimits the bounds of what is held in all
     * @param timeouts how long a client may keep the others waiting
     * @param backlog 1 or more
     * @param access who may use the daemon
     */
    public DaemonOptions {
        if (backlog < 1) {
            throw new IllegalArgumentException("backlog: " + backlog + " (expected: >= 1)");
        }
    }

    /**
     * Makes options with the defaults.
     *
     * @param path the path of the socket, or {@code null} to take it from the environment
     * @return the options
     * @throws EscrowException if the path can't be one of a socket
     */
    public static DaemonOptions of(String path) throws EscrowException {
        return new DaemonOptions(
                SocketPath.check(path),
                false,
                false,
                Limits.DEFAULT,
                new StoreLimits(DEFAULT_SLOTS, defaultPayloadBytes(), defaultDescriptors(Limits.DEFAULT)),
                SessionTimeouts.DEFAULT,
                DEFAULT_BACKLOG,
                Access.OWNER_ONLY,
                UnclaimedOptions.KEEP);
    }

    /**
     * Changes the bounds of what is held in all.
     *
     * @param changed the new bounds
     * @return options that are otherwise the same
     */
    public DaemonOptions withStoreLimits(StoreLimits changed) {
        return new DaemonOptions(path, force, verbose, limits, changed, timeouts, backlog, access, unclaimed);
    }

    /**
     * Changes how long a client may keep the others waiting.
     *
     * @param changed the new timeouts
     * @return options that are otherwise the same
     */
    public DaemonOptions withTimeouts(SessionTimeouts changed) {
        return new DaemonOptions(path, force, verbose, limits, storeLimits, changed, backlog, access, unclaimed);
    }

    /**
     * Changes who may use the daemon.
     *
     * @param changed who
     * @return options that are otherwise the same
     */
    public DaemonOptions withAccess(Access changed) {
        return new DaemonOptions(path, force, verbose, limits, storeLimits, timeouts, backlog, changed, unclaimed);
    }

    /**
     * Changes what becomes of slots while no session is on.
     *
     * @param changed the new rules
     * @return options that are otherwise the same
     */
    public DaemonOptions withUnclaimed(UnclaimedOptions changed) {
        return new DaemonOptions(path, force, verbose, limits, storeLimits, timeouts, backlog, access, changed);
    }

    /**
     * Returns the largest sum of all payloads unless told otherwise: half of the heap.
     *
     * @return the bytes
     */
    public static long defaultPayloadBytes() {
        return Runtime.getRuntime().maxMemory() / 2;
    }

    /**
     * Returns the most descriptors unless told otherwise: as many as this process may have open, less what it needs
     * itself and what whole packets may bring at the limit.
     *
     * @param limits the bounds of a session
     * @return the number
     * @throws EscrowException if that leaves none
     */
    public static int defaultDescriptors(Limits limits) throws EscrowException {
        int reserve = OWN_DESCRIPTORS + limits.packetDescriptors() * (limits.packetsInFlight() + 1);
        long allowed = openFilesLimit();
        if (allowed <= reserve) {
            throw new EscrowException(
                    Status.EMFILE, "open files allowed: " + allowed + " (expected: > " + reserve + "; see ulimit -n)");
        }
        return (int) Math.min(allowed - reserve, Integer.MAX_VALUE);
    }

    private static long openFilesLimit() throws EscrowException {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/limits"))) {
                Matcher soft = OPEN_FILES.matcher(line);
                if (soft.lookingAt()) {
                    return soft.group(1).equals("unlimited") ? Integer.MAX_VALUE : Long.parseLong(soft.group(1));
                }
            }
            throw new EscrowException(Status.EOPNOTSUPP, "no limit of open files in /proc/self/limits");
        } catch (IOException e) {
            throw new EscrowException(Status.EOPNOTSUPP, "/proc/self/limits can't be read: " + e, e);
        }
    }
}
