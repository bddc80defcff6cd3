package io.escrow.handover.connection;

import io.escrow.handover.store.ChannelRecord;

/**
 * Keeps what the escrow knows about a connection for the case of a crash, and notices when the connection has become one
 * that can't be moved: a fresh pipeline would not be what it was. Lives on the channel's event loop.
 */
final class CrashRecord {

    /** After so many reads, most connections are what they will be: then every so many reads are enough. */
    private static final int READS = 32;

    private ChannelRecord known;
    private boolean immovable;
    private int reads;

    /** Describes what the escrow has from the beginning. */
    CrashRecord(ChannelRecord known) {
        this.known = known;
    }

    /** Returns, after a read, whether it is time to look whether the connection can still be moved. */
    boolean isDue() {
        reads++;
        return reads <= READS || reads % READS == 0;
    }

    /**
     * Returns what the escrow is to have from now on.
     *
     * @param checkpoint the state of the handlers
     * @param whyImmovable why the connection can't be moved; {@code null} if it can
     */
    ChannelRecord renew(ChannelRecord checkpoint, String whyImmovable) {
        known = checkpoint;
        immovable = whyImmovable != null;
        return immovable ? known.immovable(whyImmovable) : known;
    }

    /**
     * Returns what the escrow is to have from now on, with the state of the handlers that it has; {@code null} if it has
     * that already.
     *
     * @param whyImmovable why the connection can't be moved; {@code null} if it can
     */
    ChannelRecord change(String whyImmovable) {
        return immovable == (whyImmovable != null) ? null : renew(known, whyImmovable);
    }
}
