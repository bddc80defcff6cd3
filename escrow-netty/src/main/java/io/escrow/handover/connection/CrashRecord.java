package io.escrow.handover.connection;

import io.escrow.handover.store.ChannelRecord;

/**
 * Keeps what the escrow knows about a connection for the case of a crash, and notices when the connection has become one
 * that can't go on after one: a fresh pipeline would not be what it was. Lives on the channel's event loop.
 */
final class CrashRecord {

    private ChannelRecord known;
    private boolean lost;

    /** Which keys of TLS the escrow has, see {@link CrashKeys}; 0 if none. */
    private long generation;

    /** Whether the state of the protocol is not in what is known, so that only another checkpoint can help. */
    private boolean incomplete;

    /** Describes what the escrow has from the beginning. */
    CrashRecord(ChannelRecord known) {
        this.known = known;
    }

    /** Returns whether the connection can't go on after a crash, as far as the escrow is told. */
    boolean isLost() {
        return lost;
    }

    /**
     * Returns what the escrow is to have from now on.
     *
     * @param checkpoint the state of the handlers
     * @param whyLost why the connection can't go on after a crash; {@code null} if it can
     * @param withProtocol whether the checkpoint has the state of the protocol
     * @param keys of the TLS of the connection; {@code null} if there are none
     */
    ChannelRecord renew(ChannelRecord checkpoint, String whyLost, boolean withProtocol, CrashKeys keys) {
        known = checkpoint;
        lost = whyLost != null;
        incomplete = !withProtocol;
        generation = generation(keys);
        if (lost) {
            return known.immovable(whyLost);
        }
        return keys == null ? known : known.withCrashKeys(keys.encode());
    }

    private long generation(CrashKeys keys) {
        if (keys == null) {
            return 0;
        }
        if (lost) {
            keys.lost();
            return 0;
        }
        return keys.generation();
    }

    /**
     * Returns what the escrow is to have from now on, with the state of the handlers that it has; {@code null} if it has
     * that already.
     *
     * @param whyLost why the connection can't go on after a crash; {@code null} if it can
     * @param keys of the TLS of the connection; {@code null} if there are none
     */
    ChannelRecord change(String whyLost, CrashKeys keys) {
        boolean same = lost == (whyLost != null) || (lost && incomplete);
        boolean sameKeys = keys == null || lost || whyLost != null || generation == keys.generation();
        return same && sameKeys ? null : renew(known, whyLost, !incomplete, keys);
    }
}
