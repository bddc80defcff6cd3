package io.escrow.daemon;

import io.escrow.daemon.follow.Primary;

/**
 * Tells the follower that stays, if there is one, what becomes of the session, and lets answers wait until it has what they
 * are about. Used on the daemon's event loop.
 */
final class Mirror {

    private Primary link;
    private CurrentSession session;

    /** Sets the link to the follower; {@code null} if there is none. */
    void link(Primary follower) {
        link = follower;
    }

    /** Sets the session that is on, and tells the follower. */
    void begun(CurrentSession current) {
        session = current;
        tellSession();
    }

    /** Tells the follower that what it knows of the session has changed. */
    void changed() {
        if (link != null && session != null) {
            link.state(session.state());
        }
    }

    /** Forgets the session that has ended, and tells the follower. */
    void ended() {
        session = null;
        if (link != null) {
            link.noSession(0);
        }
    }

    /** Tells a new follower of the session, if there is one. Returns whether there is one. */
    boolean tellSession() {
        if (link != null && session != null) {
            link.session(session.state(), session.channel().fd());
        }
        return session != null;
    }

    /** Returns whether answers must wait for the follower. */
    boolean isHolding() {
        return link != null && link.isHolding();
    }

    /** Runs a task when the follower has everything that was done until now. */
    void whenMirrored(Runnable task) {
        if (link == null) {
            task.run();
        } else {
            link.whenMirrored(task);
        }
    }

    /** Notes that the session's connection is about to be read. */
    void dirty() {
        if (link != null) {
            link.dirty();
        }
    }

    /** Notes whether the session could go on in the follower, if this process were killed now. */
    void settle() {
        if (link != null && session != null && session.isAtRest()) {
            link.clean();
        }
    }
}
