package io.escrow.daemon.follow;

/** What a primary has its link do. Called on the daemon's event loop. */
public interface PrimaryHost {

    /** The follower has greeted: it is to be told about sockets and the session; the slots follow by themselves. */
    void describe();

    /** The follower has everything, and wants to serve. */
    void take();

    /** The follower could serve, if it had the lock. */
    void prepared();

    /** The follower serves. This daemon must not serve any more. */
    void serving();

    /**
     * The link has ended, and the follower with it.
     *
     * @param reason why
     */
    void closed(String reason);
}
