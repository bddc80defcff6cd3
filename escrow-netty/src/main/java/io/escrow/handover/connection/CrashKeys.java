package io.escrow.handover.connection;

import io.escrow.handover.tls.record.TlsPosition;
import io.escrow.handover.tls.record.TlsState;
import io.netty.channel.ChannelHandler;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Knows which keys of a TLS connection the escrow has for the case of a crash, and where the connection is with them. The keys are in
 * its record, the numbers in its {@linkplain CrashMarks.Mark mark}; a generation says which belong together. Lives on the channel's
 * event loop.
 */
final class CrashKeys {

    private final TlsLayer tls;
    private final TlsPosition now = new TlsPosition();

    /** Which keys the escrow was given, and which were seen last: {@link TlsPosition#keys}. */
    private int given;

    private int seen;
    private long generation;
    private boolean changed;

    CrashKeys(TlsLayer tls) {
        this.tls = tls;
    }

    /**
     * Returns whether the connection is between two records in both directions, with nothing to be written, and has the keys that were
     * given to the escrow. What {@link #rest} stores is of this moment.
     */
    boolean isAtRest() {
        if (!tls.at(now)) {
            return false;
        }
        if (now.keys() != seen) {
            seen = now.keys();
            changed = true;
        }
        return generation != 0 && now.keys() == given && tls.counter().isExact();
    }

    /** Returns whether {@link #isAtRest} knows what a handler has collected. */
    boolean knows(ChannelHandler handler) {
        return tls.has(handler);
    }

    /** Returns, once, whether there are keys which the escrow has not. */
    boolean takeChanged() {
        boolean news = changed;
        changed = false;
        return news;
    }

    /** Stores where the connection is. */
    void rest(CrashMarks.Mark mark) {
        TlsCounter counter = tls.counter();
        mark.rest(generation, now.reads(), now.writes(), counter.consumed(), counter.written());
    }

    /** Returns the number of the keys as they are now, which is another one if they are. Called when the connection can be moved. */
    long generation() {
        tls.keysAt(now);
        if (generation == 0 || now.keys() != given) {
            given = now.keys();
            generation = ThreadLocalRandom.current().nextLong(1, Long.MAX_VALUE);
        }
        return generation;
    }

    /** Notes that the escrow has no keys. */
    void lost() {
        generation = 0;
    }

    /** Returns what the escrow is to have of the keys that {@link #generation} was asked of. */
    byte[] encode() {
        TlsState state = tls.keys();
        byte[] encoded = state.at(0, 0).encode();
        state.destroy();
        byte[] keys = ByteBuffer.allocate(Long.BYTES + encoded.length)
                .putLong(generation)
                .put(encoded)
                .array();
        Arrays.fill(encoded, (byte) 0);
        return keys;
    }
}
