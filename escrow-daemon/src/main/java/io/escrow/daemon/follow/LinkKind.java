package io.escrow.daemon.follow;

/** Numbers the kinds of frames on a link. Those below 20 come from the primary, the others from the follower. */
enum LinkKind {
    /** Both sides: oldest and newest version i32, features i64, version of the program; see {@link LinkHello}. */
    HELLO(0),
    /** A new list of listening sockets follows; no body. */
    LISTENERS(1),
    /** With the socket: its {@link Listening}. */
    LISTENER(2),
    /** With the descriptor if there is one: tag and index, then the slot; see {@link SlotBody}. */
    SLOT(3),
    /** Tag and index. */
    EMPTIED(4),
    /** Tag and index, then payload and farewell, each behind its length. */
    UPDATED(5),
    /** No body. */
    CLEARED(6),
    /** With the connection: its {@link SessionState}. */
    SESSION(7),
    /** The {@link SessionState} of the session sent before. */
    STATE(8),
    /** There is no session any more: for how many milliseconds, i64. */
    NO_SESSION(9),
    /** The counters, as JSON. */
    STATISTICS(10),
    /** The follower has everything; no body. */
    SYNCED(11),
    /** The primary has stopped, and the follower has everything; no body. */
    COMMIT(12),
    /** The primary has released the lock; no body. */
    RELEASED(13),
    /** With one end of the {@link Mark}, for a follower that stays; no body. */
    MARK(14),
    /** The primary wants to end: the follower shall take over; no body. */
    YIELD(15),
    /** For a follower that stays, before anything else: its {@link PrimaryLimits}. */
    LIMITS(16),
    /** The number of frames received, i64. */
    ACK(20),
    /** The follower wants to serve; no body. */
    TAKE(21),
    /** The follower could serve; no body. */
    PREPARED(22),
    /** The follower serves; no body. */
    SERVING(23),
    /** Both sides: why the sender closes the link, a text. */
    FAILED(24);

    private static final LinkKind[] BY_CODE = new LinkKind[25];

    static {
        for (LinkKind kind : values()) {
            BY_CODE[kind.code] = kind;
        }
    }

    final int code;

    LinkKind(int code) {
        this.code = code;
    }

    /** Returns the kind of that number, or {@code null}. */
    static LinkKind of(int code) {
        return code < BY_CODE.length ? BY_CODE[code] : null;
    }
}
