package io.escrow.daemon.config;

import java.time.Duration;

/**
 * Configures what the daemon does with slots while there is no session.
 *
 * @param timeout how long there must be no session before all slots are closed; {@link Duration#ZERO} to keep them for
 *     ever
 * @param reapInterval how often slots whose peer has gone are freed; {@link Duration#ZERO} for never
 */
public record UnclaimedOptions(Duration timeout, Duration reapInterval) {

    private static final Duration MAX = Duration.ofDays(365);

    /** Keeps every slot until a client claims it. */
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
