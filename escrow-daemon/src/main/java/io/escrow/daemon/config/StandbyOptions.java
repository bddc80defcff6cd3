package io.escrow.daemon.config;

import java.time.Duration;

/**
 * Configures a daemon for which another process stands by.
 *
 * @param timeout how long that process may acknowledge nothing before this daemon goes on without it
 * @param handover how long a client may keep this daemon, when it is to end, from handing over at the end of a packet; then
 *     the session is closed
 * @param alarm how long no process may stand by before the log says so, if one is expected
 */
public record StandbyOptions(Duration timeout, Duration handover, Duration alarm) {

    private static final Duration MAX = Duration.ofDays(1);

    /** 5 seconds to acknowledge, 3 seconds to hand over, 10 seconds until the alarm. */
    public static final StandbyOptions DEFAULT =
            new StandbyOptions(Duration.ofSeconds(5), Duration.ofSeconds(3), Duration.ofSeconds(10));

    /**
     * Checks all; an {@link IllegalArgumentException} names a value that is out of range, and the range.
     *
     * @param timeout more than 0, at most a day
     * @param handover more than 0, at most a day
     * @param alarm more than 0, at most a day
     */
    public StandbyOptions {
        check("standby timeout", timeout);
        check("handover timeout", handover);
        check("standby alarm", alarm);
    }

    private static void check(String what, Duration value) {
        if (value.isNegative() || value.isZero() || value.compareTo(MAX) > 0) {
            throw new IllegalArgumentException(
                    what + ": " + value.toSeconds() + " s (expected: 1.." + MAX.toSeconds() + " s)");
        }
    }
}
