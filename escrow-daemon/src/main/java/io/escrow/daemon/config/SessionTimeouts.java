package io.escrow.daemon.config;

import java.time.Duration;

/**
 * Limits how long a client may delay the others. A session that is idle between packets may last for ever.
 *
 * @param hello how long the client's hello may take, from the moment its session begins
 * @param stall how long a client may send nothing in the middle of a packet
 * @param write how long a client may read nothing while answers wait for it
 */
public record SessionTimeouts(Duration hello, Duration stall, Duration write) {

    private static final Duration MAX = Duration.ofDays(1);

    /** 10 seconds for the hello, 30 seconds for the rest. */
    public static final SessionTimeouts DEFAULT =
            new SessionTimeouts(Duration.ofSeconds(10), Duration.ofSeconds(30), Duration.ofSeconds(30));

    /**
     * Checks every timeout; an {@link IllegalArgumentException} names a value that is out of range, and the range.
     *
     * @param hello more than 0, at most a day
     * @param stall more than 0, at most a day
     * @param write more than 0, at most a day
     */
    public SessionTimeouts {
        check("hello timeout", hello);
        check("stall timeout", stall);
        check("write timeout", write);
    }

    private static void check(String what, Duration value) {
        if (value.isNegative() || value.isZero() || value.compareTo(MAX) > 0) {
            throw new IllegalArgumentException(
                    what + ": " + value.toSeconds() + " s (expected: 1.." + MAX.toSeconds() + " s)");
        }
    }
}
