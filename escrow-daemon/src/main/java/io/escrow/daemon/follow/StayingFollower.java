package io.escrow.daemon.follow;

/**
 * A follower that stays until this process ends, seen from the primary: knows when what was done is certain to reach it, and
 * says in its {@link Mark} whether it may serve, and whether the session can go on there. Used on the daemon's event loop.
 */
public final class StayingFollower {

    private final FrameQueue queue;
    private final Mark mark = new Mark();
    private long syncedAt = Long.MAX_VALUE;
    private boolean inStep;
    private boolean holding;
    private boolean left;

    StayingFollower(FrameQueue queue) {
        this.queue = queue;
    }

    LinkFrame markFrame() {
        return mark.frame();
    }

    /** Notes that everything was sent: from now on answers wait until what they are about is written. */
    void synced() {
        syncedAt = queue.sent();
        holding = true;
    }

    /** Notes how many frames the follower has carried out. */
    void acknowledged(long frames) {
        inStep |= holding && frames >= syncedAt;
    }

    /** Returns whether the follower has everything. */
    public boolean isInStep() {
        return inStep;
    }

    /** Returns whether answers have to wait: from when everything was sent. */
    public boolean isHolding() {
        return holding;
    }

    /**
     * Runs a task when everything that was sent until now is certain to reach the follower; at once, if it is. Tasks run in
     * order. When the follower is left behind, all run; when everything is {@linkplain Primary#leave left} to it, none.
     */
    public void whenMirrored(Runnable task) {
        if (holding && !left) {
            queue.whenWritten(task);
        } else if (!left) {
            task.run();
        }
    }

    /** Notes that the next packet of the session may be read. */
    public void dirty() {
        mark.dirty();
    }

    /** Notes that the session is at rest. The follower must know if everything that was done is certain to reach it. */
    public void clean() {
        if (holding && queue.isAllWritten()) {
            mark.clean();
        }
    }

    /** Leaves everything to the follower as it is. */
    void leave() {
        left = true;
        inStep = false;
        queue.close();
        queue.dropWaiters();
        mark.dirty(); // What is read from now on is lost.
        mark.leave();
    }

    /** Leaves the follower behind: it must not serve. Called before anything is answered that it may not have. */
    void revoke() {
        if (!left) {
            mark.revoke();
            holding = false;
            inStep = false;
        }
    }

    /** Gives up the mark, when the connection is closed. */
    void close() {
        mark.close();
    }
}
