package io.escrow.daemon.config;

import java.time.Duration;

/**
 * Says what becomes of slots while no session is on.
 *
 * @param timeout how long nobody may have had a session before all slots are closed; {@link Duration#ZERO} for ever
 * @param reapInterval how often slots are freed whose peer has gone; {@link Duration#ZERO} for never
 */
public record UnclaimedOptions(Duration timeout, Duration reapInterval) {

    private static final Duration MAX = Duration.ofDays(365);

    /** Keeps everything until it is claimed. */
    public static final UnclaimedOptions KEEP = new UnclaimedOptions(Duration.ZERO, Duration.ZERO);

    /**
     * Checks both; an {@link IllegalArgumentException} names the value and the bound that it breaks.
     *
     * @param timeout 0 to 365 days
     * @param reapInterval 0 to 365 days
     */
    public UnclaimedOptions {
        check("unclaimed timeout", timeout);
        check("reap interval", reapInterval);
    }

    private static void check(String what, Duration value) {
        if (value.isNegative() || value.compareTo(MAX) > 0) {
            throw new IllegalArgumentException(
                    what + ": " + value.toSeconds() + " s (expected: 0.." + MAX.toSeconds() + " s)");
        }
    }
}
