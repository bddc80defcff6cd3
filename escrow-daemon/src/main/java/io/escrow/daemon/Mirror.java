package io.escrow.daemon;

import io.escrow.daemon.follow.Primary;
import io.escrow.daemon.follow.StayingFollower;

/**
 * Sends the follower that stays, if there is one, what becomes of the session, and lets answers wait until it has what they
 * are about. Used on the daemon's event loop.
 */
final class Mirror implements HeldAnswers.Follower {

    private Primary link;
    private StayingFollower follower;
    private CurrentSession session;

    /** Sets the link to a follower that stays; {@code null} if there is none. */
    void link(Primary primary) {
        link = primary;
        follower = primary == null ? null : primary.staying();
    }

    /** Sets the session that is on, and sends it to the follower. */
    void begun(CurrentSession current) {
        session = current;
        sendSession();
    }

    /** Sends the follower what the session has been through meanwhile. */
    void changed() {
        if (link != null && session != null) {
            link.state(session.state());
        }
    }

    /** Forgets the session that has ended, and so does the follower. */
    void ended() {
        session = null;
        if (link != null) {
            link.noSession(0);
        }
    }

    /** Sends a new follower the session, if one is on. Returns whether one is. */
    boolean sendSession() {
        if (link != null && session != null) {
            link.session(session.state(), session.channel().fd());
        }
        return session != null;
    }

    @Override
    public boolean isHolding() {
        return follower != null && follower.isHolding();
    }

    @Override
    public void whenMirrored(Runnable task) {
        if (follower == null) {
            task.run();
        } else {
            follower.whenMirrored(task);
        }
    }

    /** Notes that the session's connection is about to be read. */
    void dirty() {
        if (follower != null) {
            follower.dirty();
        }
    }

    @Override
    public void settle() {
        if (follower != null && session != null && session.isAtRest()) {
            follower.clean();
        }
    }
}
