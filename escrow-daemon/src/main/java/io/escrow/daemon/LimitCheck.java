package io.escrow.daemon;

import io.escrow.EscrowException;
import io.escrow.Limits;
import io.escrow.Status;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.config.StoreLimits;
import io.escrow.daemon.follow.PrimaryCheck;
import io.escrow.daemon.follow.PrimaryLimits;
import io.escrow.daemon.follow.SessionState;

/** Refuses to follow a daemon that allows more than this one does. */
final class LimitCheck implements PrimaryCheck {

    private final DaemonOptions options;

    LimitCheck(DaemonOptions options) {
        this.options = options;
    }

    /** Refuses a session whose client was told that more is allowed than this daemon allows. */
    @Override
    public void session(SessionState session) throws EscrowException {
        check(session.limits(), "which the client of the current session was told");
    }

    /** Refuses a daemon that may come to hold what this one may not: it must not turn out when that one has ended. */
    @Override
    public void primary(PrimaryLimits limits) throws EscrowException {
        String whose = "the limit of the escrowd that serves";
        check(limits.session(), whose);
        StoreLimits theirs = limits.store();
        StoreLimits own = options.storeLimits();
        check("max-slots", theirs.slots(), own.slots(), whose);
        check("max-bytes", theirs.payloadBytes(), own.payloadBytes(), whose);
        check("max-descriptors", theirs.descriptors(), own.descriptors(), whose);
    }

    private void check(Limits theirs, String whose) throws EscrowException {
        Limits own = options.limits();
        check("tags", theirs.tags(), own.tags(), whose);
        check("max-payload", theirs.payload(), own.payload(), whose);
        check("max-farewell", theirs.farewell(), own.farewell(), whose);
        check("packet-bytes", theirs.packetBytes(), own.packetBytes(), whose);
        check("packet-descriptors", theirs.packetDescriptors(), own.packetDescriptors(), whose);
        check("packet-requests", theirs.packetFrames(), own.packetFrames(), whose);
        check("packets-in-flight", theirs.packetsInFlight(), own.packetsInFlight(), whose);
    }

    private static void check(String option, long theirs, long own, String whose) throws EscrowException {
        if (own < theirs) {
            throw new EscrowException(
                    Status.EINVAL, "--" + option + ": " + own + " (expected: >= " + theirs + ", " + whose + ")");
        }
    }
}
