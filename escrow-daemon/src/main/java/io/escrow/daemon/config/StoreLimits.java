package io.escrow.daemon.config;

/**
 * Bounds what the store holds in all.
 *
 * @param slots the most slots
 * @param payloadBytes the largest sum of all payloads and farewells, in bytes
 * @param descriptors the most descriptors
 */
public record StoreLimits(int slots, long payloadBytes, int descriptors) {

    /**
     * Checks every bound; an {@link IllegalArgumentException} names the value that is negative.
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
