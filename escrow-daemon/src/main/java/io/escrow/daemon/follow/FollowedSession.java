package io.escrow.daemon.follow;

import io.escrow.OwnedDescriptor;
import io.netty.util.ReferenceCountUtil;

/** What a follower knows of the primary's session: its state, and its connection. Used on the daemon's event loop. */
public final class FollowedSession {

    private OwnedDescriptor connection;
    private SessionState state;
    private long millisWithout;
    private long withoutSince = System.nanoTime();

    FollowedSession() {}

    /** Notes a session that has begun. Owns its connection, which is {@code null} if the client has gone. */
    void begun(SessionState begun, OwnedDescriptor descriptor) {
        drop();
        state = begun;
        connection = descriptor;
    }

    /** Notes what the session has been through meanwhile. */
    void changed(SessionState now) {
        state = now;
    }

    /** Notes that there is no session, and for how long there has been none. */
    void ended(long millis) {
        drop();
        millisWithout = millis;
        withoutSince = System.nanoTime();
    }

    /** Returns whether the client of the session has gone. */
    boolean isLost() {
        return state != null && connection == null;
    }

    void drop() {
        ReferenceCountUtil.release(connection);
        connection = null;
        state = null;
    }

    /** Returns the state of the session; {@code null} if there is none. */
    public SessionState state() {
        return state;
    }

    /** Returns the connection of the session, which the caller must release; {@code null} if there is none. */
    public OwnedDescriptor takeConnection() {
        OwnedDescriptor taken = connection;
        connection = null;
        return taken;
    }

    /** Returns for how long there has been no session, in milliseconds; 0 if there is one. */
    public long millisWithout() {
        return state != null ? 0 : millisWithout + (System.nanoTime() - withoutSince) / 1_000_000;
    }
}
