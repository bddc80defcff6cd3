package io.escrow.daemon;

import io.escrow.EscrowException;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.socket.SocketFile;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Follows the daemon that serves a path, again and again, until this process serves. Blocks its thread. */
final class Standby {

    private static final long FIRST_RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
    private static final long LAST_RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final DaemonOptions options;
    private final StandbyListener told;
    private String lastReason = "";
    private long retryNanos = FIRST_RETRY_NANOS;

    Standby(DaemonOptions options, StandbyListener told) {
        this.options = options;
        this.told = told;
    }

    /**
     * Returns a daemon that serves.
     *
     * @throws EscrowException if no other one serves, and this one can't
     */
    EscrowDaemon serve() throws EscrowException {
        while (true) {
            SocketFile file = SocketFile.unclaimed(options.path());
            if (!file.tryNext()) {
                file.close();
                tell("another escrowd stands by, or starts");
            } else if (file.tryClaim()) {
                file.releaseNext();
                return EscrowDaemon.start(options, file);
            } else {
                try {
                    // Nobody else comes in between when the daemon that is followed ends.
                    return EscrowDaemon.follow(options, file, new Noted());
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
        public void standingBy(EscrowDaemon daemon) {
            lastReason = "";
            retryNanos = FIRST_RETRY_NANOS;
            told.standingBy(daemon);
        }

        @Override
        public void notStandingBy(String reason) {
            tell(reason);
        }
    }
}
