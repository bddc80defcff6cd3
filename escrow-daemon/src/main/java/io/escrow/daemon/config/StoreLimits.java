package io.escrow.daemon.config;

/**
 * Limits what the daemon holds in total.
 *
 * @param slots the largest number of slots
 * @param payloadBytes the largest sum of all payloads and farewells, in bytes
 * @param descriptors the largest number of descriptors
 */
public record StoreLimits(int slots, long payloadBytes, int descriptors) {

    /**
     * Checks every limit; an {@link IllegalArgumentException} names the value that is negative.
     *
     * @param slots 0 or more
     * @param payloadBytes 0 or more
     * @param descriptors 0 or more
     */
    public StoreLimits {
        check("slots", slots);
        check("payload bytes", payloadBytes);
        check("descriptors", descriptors);
    }

    private static void check(String what, long value) {
        if (value < 0) {
            throw new IllegalArgumentException(what + ": " + value + " (expected: >= 0)");
        }
    }
}
