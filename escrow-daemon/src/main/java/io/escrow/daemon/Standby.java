package io.escrow.daemon;

import io.escrow.EscrowException;
import io.escrow.daemon.socket.SocketFile;
import io.netty.channel.EventLoop;
import java.nio.file.Path;
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

    private final Path path;
    private final Ways<D> ways;
    private final StandbyListener told;
    private String lastReason = "";
    private long retryNanos = FIRST_RETRY_NANOS;

    Standby(Path path, Ways<D> ways, StandbyListener told) {
        this.path = path;
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
            SocketFile file = SocketFile.unclaimed(path);
            if (!file.tryNext()) {
                file.close();
                tell("another escrowd stands by, or starts");
            } else if (file.tryClaim()) {
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
