package io.escrow.daemon.follow;

import io.escrow.EscrowException;

/** What a primary has its link do. Called on the daemon's event loop. */
public interface PrimaryHost {

    /**
     * The follower has greeted.
     *
     * @throws EscrowException if it is not wanted
     */
    void greeted() throws EscrowException;

    /** The follower is to be told about sockets and the session; the slots follow by themselves. */
    void describe();

    /** The follower has everything that was sent until now. Called now and then. */
    void mirrored();

    /** The follower has everything, and wants to serve. */
    void take();

    /** The follower could serve, if it had the lock. */
    void prepared();

    /** The follower serves. This daemon must not serve any more. */
    void serving();

    /**
     * The link has ended, and the follower, which was wanted, with it.
     *
     * @param reason why
     */
    void closed(String reason);
}
