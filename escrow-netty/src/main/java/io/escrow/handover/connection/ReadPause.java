package io.escrow.handover.connection;

import io.netty.channel.ChannelConfig;
import java.time.Duration;

/**
 * Stops reading for a while, so that what is under way can end before more comes in. Not for long at a time: it may be
 * waiting for just that. Lives on the channel's event loop.
 */
final class ReadPause {

    private final long longestNanos;
    private boolean on;
    private boolean inVain;
    private long since;

    /** Pauses for so long at a time, at most. */
    ReadPause(Duration longest) {
        this.longestNanos = longest.toNanos();
    }

    /** Stops reading, or goes on if that took too long; for as long as it was stopped, it then does not stop again. */
    void begin(ChannelConfig config) {
        long now = System.nanoTime();
        boolean isLong = now - since > longestNanos;
        if (on && isLong) {
            end(config);
            inVain = true;
            since = now;
        } else if (!on && config.isAutoRead() && (!inVain || isLong)) {
            on = true;
            inVain = false;
            since = now;
            config.setAutoRead(false);
        }
    }

    /** Goes on reading, if it was stopped here. */
    void end(ChannelConfig config) {
        if (take()) {
            config.setAutoRead(true);
        }
    }

    /** Leaves it to the caller to go on; returns whether reading was stopped here. */
    boolean take() {
        boolean was = on;
        on = false;
        return was;
    }
}
