package io.escrow.daemon.config;

import java.time.Duration;

/**
 * Configures a daemon for which another process stands by.
 *
 * @param timeout how long that process may acknowledge nothing before this daemon goes on without it
 * @param handover how long a client may keep this daemon, when it is to end, from handing over at the end of a packet; then
 *     the session is closed
 * @param alarm how long no process may stand by before the log says so, if one is expected
 * @param alarmInterval how long after that the log says so again, as long as none does
 * @param behind how many bytes of changes the process that stands by may not have carried out before this daemon goes on without it;
 *     each change counts as 2 KiB at least, and what two packets of a client may change is always allowed
 */
public record StandbyOptions(Duration timeout, Duration handover, Duration alarm, Duration alarmInterval, long behind) {

    private static final long LEAST_BEHIND = 8 << 20;
    private static final long MOST_BEHIND = 1 << 30;

    private static final Duration MAX = Duration.ofDays(1);

    /** 5 seconds to acknowledge, 3 seconds to hand over, 10 seconds until the alarm and 10 minutes until the next one, 128 MiB. */
    public static final StandbyOptions DEFAULT = new StandbyOptions(
            Duration.ofSeconds(5), Duration.ofSeconds(3), Duration.ofSeconds(10), Duration.ofMinutes(10), 128 << 20);

    /**
     * Checks all; an {@link IllegalArgumentException} names a value that is out of range, and the range.
     *
     * @param timeout more than 0, at most a day
     * @param handover more than 0, at most a day
     * @param alarm more than 0, at most a day
     * @param alarmInterval more than 0, at most a day
     * @param behind 8 MiB to 1 GiB
     */
    public StandbyOptions {
        check("standby timeout", timeout);
        check("handover timeout", handover);
        check("standby alarm", alarm);
        check("interval of standby alarms", alarmInterval);
        if (behind < LEAST_BEHIND || behind > MOST_BEHIND) {
            throw new IllegalArgumentException("bytes that a standby may be behind: " + behind + " (expected: "
                    + LEAST_BEHIND + ".." + MOST_BEHIND + ")");
        }
    }

    private static void check(String what, Duration value) {
        if (value.isNegative() || value.isZero() || value.compareTo(MAX) > 0) {
            throw new IllegalArgumentException(
                    what + ": " + value.toSeconds() + " s (expected: 1.." + MAX.toSeconds() + " s)");
        }
    }
}
