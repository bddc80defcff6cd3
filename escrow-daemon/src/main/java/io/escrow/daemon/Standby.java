package io.escrow.daemon;

import io.escrow.EscrowException;
import io.escrow.daemon.socket.SocketFile;
import io.netty.channel.EventLoop;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;

/**
 * Follows the daemon that serves a path, again and again, until this process serves. Blocks its thread.
 *
 * @param <D> the daemon that serves at last
 */
final class Standby<D> {

    private static final long FIRST_RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
    private static final long LAST_RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(250);

    /** The two ways to serve. Each closes the file if it fails. */
    interface Ways<D> {
        /**
         * Serves a path that is claimed.
         *
         * @throws EscrowException if that is not possible
         */
        D start(SocketFile claimed) throws EscrowException;

        /**
         * Follows the daemon that serves, and serves when that one has ended.
         *
         * @param next this process is the one that claims the path next
         * @throws EscrowException if this process has not everything that the other one had
         */
        D follow(SocketFile next, StandbyListener told) throws EscrowException;
    }

    /** Opens the lock file, and claims nothing. */
    interface LockFile {
        /**
         * Opens it.
         *
         * @throws EscrowException if it can't be opened
         */
        SocketFile open() throws EscrowException;
    }

    private enum Role {
        SERVES,
        FOLLOWS,
        NONE
    }

    private final LockFile lockFile;
    private final Ways<D> ways;
    private final StandbyListener told;
    private String lastReason = "";
    private long retryNanos = FIRST_RETRY_NANOS;

    Standby(LockFile lockFile, Ways<D> ways, StandbyListener told) {
        this.lockFile = lockFile;
        this.ways = ways;
        this.told = told;
    }

    /**
     * Returns a daemon that serves.
     *
     * @throws EscrowException if no other one serves, and this one can't
     */
    D serve() throws EscrowException {
        while (true) {
            SocketFile file = lockFile.open();
            Role role = roleOf(file);
            if (role == Role.NONE) {
                file.close();
            } else if (role == Role.SERVES) {
                file.releaseNext();
                return ways.start(file);
            } else {
                try {
                    // Nobody else comes in between when the daemon that is followed ends.
                    return ways.follow(file, new Noted());
                } catch (EscrowException e) {
                    tell(e.getMessage());
                }
            }
            LockSupport.parkNanos(retryNanos);
            retryNanos = Math.min(LAST_RETRY_NANOS, 2 * retryNanos);
        }
    }

    /** Finds out what this process can do now; says why, if it can do nothing. */
    private Role roleOf(SocketFile file) {
        try {
            if (!file.tryNext()) {
                tell("another escrowd stands by, or starts");
                return Role.NONE;
            }
            return file.tryClaim() ? Role.SERVES : Role.FOLLOWS;
        } catch (EscrowException e) {
            tell(e.getMessage());
            return Role.NONE;
        }
    }

    private void tell(String reason) {
        if (!reason.equals(lastReason)) {
            lastReason = reason;
            told.notStandingBy(reason);
        }
    }

    /** Forgets the last reason when something has changed. */
    private final class Noted implements StandbyListener {
        @Override
        public void standingBy(EventLoop loop, Supplier<DaemonStatus> status) {
            lastReason = "";
            retryNanos = FIRST_RETRY_NANOS;
            told.standingBy(loop, status);
        }

        @Override
        public void notStandingBy(String reason) {
            tell(reason);
        }
    }
}
