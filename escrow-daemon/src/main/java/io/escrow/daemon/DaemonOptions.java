package io.escrow.daemon;

import io.escrow.EscrowException;
import io.escrow.SocketPath;
import io.escrow.codec.Limits;
import java.nio.file.Path;

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
 * @param operators how operators may look into it
 * @param listener the descriptor of a socket that listens at the path already, which somebody else has bound and will
 *     remove: closed with the daemon, and also when the start fails. Then {@code force}, {@code backlog} and the mode of
 *     {@code access} have no meaning. {@link #BIND} for the daemon to bind the path itself
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
        UnclaimedOptions unclaimed,
        OperatorOptions operators,
        int listener) {

    /** Stands for no listener. */
    public static final int BIND = -1;

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
     * @param unclaimed what becomes of slots while no session is on
     * @param operators how operators may look into it
     * @param listener a descriptor, or {@link #BIND}
     */
    public DaemonOptions {
        if (backlog < 1) {
            throw new IllegalArgumentException("backlog: " + backlog + " (expected: >= 1)");
        }
    }

    /**
     * Makes options with the defaults, which are for a process that does nothing else: its heap and its open files are
     * the daemon's.
     *
     * @param path the path of the socket, or {@code null} to take it from the environment
     * @return the options
     * @throws EscrowException if the path can't be one of a socket, or too few files may be open
     */
    public static DaemonOptions of(String path) throws EscrowException {
        Budget budget = Budget.ofThisProcess();
        Limits limits = new Limits(
                Limits.DEFAULT.tags(),
                Limits.DEFAULT.payload(),
                Limits.DEFAULT.packetBytes(),
                budget.packetDescriptors(),
                Limits.DEFAULT.packetFrames(),
                Limits.DEFAULT.packetsInFlight(),
                Limits.DEFAULT.farewell());
        return new DaemonOptions(
                SocketPath.check(path),
                false,
                false,
                limits,
                new StoreLimits(
                        budget.slots(),
                        budget.payloadBytes(limits.payload()),
                        budget.descriptors(limits.packetDescriptors())),
                SessionTimeouts.DEFAULT,
                DEFAULT_BACKLOG,
                Access.OWNER_ONLY,
                UnclaimedOptions.KEEP,
                OperatorOptions.DEFAULT,
                BIND);
    }

    /**
     * Changes the bounds of what is held in all.
     *
     * @param changed the new bounds
     * @return options that are otherwise the same
     */
    public DaemonOptions withStoreLimits(StoreLimits changed) {
        return new DaemonOptions(
                path, force, verbose, limits, changed, timeouts, backlog, access, unclaimed, operators, listener);
    }

    /**
     * Changes how long a client may keep the others waiting.
     *
     * @param changed the new timeouts
     * @return options that are otherwise the same
     */
    public DaemonOptions withTimeouts(SessionTimeouts changed) {
        return new DaemonOptions(
                path, force, verbose, limits, storeLimits, changed, backlog, access, unclaimed, operators, listener);
    }

    /**
     * Changes who may use the daemon.
     *
     * @param changed who
     * @return options that are otherwise the same
     */
    public DaemonOptions withAccess(Access changed) {
        return new DaemonOptions(
                path, force, verbose, limits, storeLimits, timeouts, backlog, changed, unclaimed, operators, listener);
    }

    /**
     * Changes what becomes of slots while no session is on.
     *
     * @param changed the new rules
     * @return options that are otherwise the same
     */
    public DaemonOptions withUnclaimed(UnclaimedOptions changed) {
        return new DaemonOptions(
                path, force, verbose, limits, storeLimits, timeouts, backlog, access, changed, operators, listener);
    }

    /**
     * Changes how operators may look into the daemon.
     *
     * @param changed the new rules
     * @return options that are otherwise the same
     */
    public DaemonOptions withOperators(OperatorOptions changed) {
        return new DaemonOptions(
                path, force, verbose, limits, storeLimits, timeouts, backlog, access, unclaimed, changed, listener);
    }

    /**
     * Serves a socket that listens already, instead of binding one.
     *
     * @param descriptor the socket, see {@link #listener()}
     * @return options that are otherwise the same
     */
    public DaemonOptions withListener(int descriptor) {
        return new DaemonOptions(
                path, force, verbose, limits, storeLimits, timeouts, backlog, access, unclaimed, operators, descriptor);
    }
}
