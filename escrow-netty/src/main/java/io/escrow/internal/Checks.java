package io.escrow.internal;

import static java.util.Objects.requireNonNull;

import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.EventExecutor;
import java.time.Duration;

/** Checks what callers configure. Each message names the value, its bounds, and what it is for. */
public final class Checks {

    /** Longer than anybody waits, and still a number of nanoseconds. */
    private static final Duration LONGEST = Duration.ofDays(36_500);

    private Checks() {}

    /**
     * Checks a number.
     *
     * @param what names the number in the message
     * @param value the number
     * @param min the smallest that is allowed
     * @param max the largest that is allowed
     * @return the number
     * @throws IllegalArgumentException if it is out of range
     */
    public static int inRange(String what, int value, int min, int max) {
        if (value < min || value > max) {
            throw new IllegalArgumentException(what + ": " + value + " (expected: " + min + ".." + max + ")");
        }
        return value;
    }

    /**
     * Checks a time that is waited for.
     *
     * @param what names the time in the message
     * @param time the time
     * @return the time
     * @throws IllegalArgumentException if it is not positive, or longer than 100 years
     */
    public static Duration positive(String what, Duration time) {
        requireNonNull(time, what);
        if (time.isNegative() || time.isZero() || time.compareTo(LONGEST) > 0) {
            throw new IllegalArgumentException(
                    what + ": " + time + " (expected: more than 0, at most " + LONGEST.toDays() + " days)");
        }
        return time;
    }

    /**
     * Checks a time that may be nothing, and must not be long.
     *
     * @param what names the time in the message
     * @param time the time
     * @param max the longest that is allowed
     * @return the time
     * @throws IllegalArgumentException if it is negative, or longer than that
     */
    public static Duration atMost(String what, Duration time, Duration max) {
        requireNonNull(time, what);
        if (time.isNegative() || time.compareTo(max) > 0) {
            throw new IllegalArgumentException(
                    what + ": " + time + " (expected: 0 to " + max.toMillis() + " ms; 0 to wait for nothing)");
        }
        return time;
    }

    /**
     * Checks that channels of Netty's epoll transport can be registered with a group.
     *
     * @param what names the group in the message
     * @param group the group
     * @return the group
     * @throws IllegalArgumentException if an event loop of it has another transport
     */
    public static EventLoopGroup epoll(String what, EventLoopGroup group) {
        requireNonNull(group, what);
        for (EventExecutor each : group) {
            if (!EpollLoops.contain(each)) {
                throw new IllegalArgumentException(
                        what + ": a " + group.getClass().getSimpleName() + " with another transport (needs "
                                + EpollLoops.GROUP + ")");
            }
        }
        return group;
    }
}
