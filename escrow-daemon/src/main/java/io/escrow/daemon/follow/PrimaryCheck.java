package io.escrow.daemon.follow;

import io.escrow.EscrowException;

/** Refuses what can't go on in this daemon. */
public interface PrimaryCheck {

    /**
     * Checks a session.
     *
     * @throws EscrowException if this daemon is not configured for it
     */
    void session(SessionState session) throws EscrowException;

    /**
     * Checks a primary that this daemon is to stand by for.
     *
     * @throws EscrowException if the primary may come to hold more than this daemon may
     */
    void primary(PrimaryLimits limits) throws EscrowException;
}
