package io.escrow.handover.connection;

import io.escrow.handover.store.ChannelRecord;

/**
 * Keeps what the escrow knows about a connection for the case of a crash, and notices when the connection has become one
 * that can't go on after one: a fresh pipeline would not be what it was. Lives on the channel's event loop.
 */
final class CrashRecord {

    private ChannelRecord known;
    private boolean lost;

    /** Whether the state of the protocol is not in what is known, so that only another checkpoint can help. */
    private boolean incomplete;

    private final Interval looks = new Interval();

    /** Describes what the escrow has from the beginning. */
    CrashRecord(ChannelRecord known) {
        this.known = known;
    }

    /** Returns, after a read, whether it is time to look whether the connection could still go on. */
    boolean isDue() {
        return looks.isDue();
    }

    /**
     * Returns what the escrow is to have from now on.
     *
     * @param checkpoint the state of the handlers
     * @param whyLost why the connection can't go on after a crash; {@code null} if it can
     * @param withProtocol whether the checkpoint has the state of the protocol
     */
    ChannelRecord renew(ChannelRecord checkpoint, String whyLost, boolean withProtocol) {
        known = checkpoint;
        lost = whyLost != null;
        incomplete = !withProtocol;
        return lost ? known.immovable(whyLost) : known;
    }

    /**
     * Returns what the escrow is to have from now on, with the state of the handlers that it has; {@code null} if it has
     * that already.
     *
     * @param whyLost why the connection can't go on after a crash; {@code null} if it can
     */
    ChannelRecord change(String whyLost) {
        boolean same = lost == (whyLost != null) || (lost && incomplete);
        return same ? null : renew(known, whyLost, !incomplete);
    }
}
