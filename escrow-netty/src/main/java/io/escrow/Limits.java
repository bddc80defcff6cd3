package io.escrow;

/**
 * Bounds what one side may send. The daemon sends its limits in its hello (PROTOCOL.md, "HEL").
 *
 * @param tags the number of tags, 1 to 65,536
 * @param payload the largest payload of a slot, in bytes
 * @param packetBytes the largest sum of the frames of one packet, in bytes
 * @param packetDescriptors the most descriptors in one packet, and the most requests in one packet that may bring or
 *     fetch a descriptor
 * @param packetFrames the most frames in one packet
 * @param packetsInFlight how many request packets may be unanswered
 * @param farewell the largest farewell of a slot, in bytes; 0 where there are none
 */
public record Limits(
        int tags,
        int payload,
        int packetBytes,
        int packetDescriptors,
        int packetFrames,
        int packetsInFlight,
        int farewell) {

    /** The largest number of tags: a tag has 16 bits. */
    public static final int MAX_TAGS = 65_536;

    /** The default limits of a daemon, which also hold before the hello. */
    public static final Limits DEFAULT = new Limits(32, 32 * 1024, 1024 * 1024, 128, 1024, 2, 1024);

    /**
     * Checks every bound; an {@link IllegalArgumentException} names the value and the bound that it breaks.
     *
     * @param tags 1 to 65,536
     * @param payload 0 to 16 MiB
     * @param packetBytes from the payload plus the farewell plus 64 to 64 MiB
     * @param packetDescriptors 1 to 1,024
     * @param packetFrames 1 to 65,536
     * @param packetsInFlight 1 to 64
     * @param farewell 0 to 64 KiB
     */
    public Limits {
        check("tags", tags, 1, MAX_TAGS);
        check("payload", payload, 0, 16 * 1024 * 1024);
        check("farewell", farewell, 0, 64 * 1024);
        check("packet bytes", packetBytes, payload + farewell + 64, 64 * 1024 * 1024);
        check("descriptors in a packet", packetDescriptors, 1, 1024);
        check("frames in a packet", packetFrames, 1, 65_536);
        check("packets in flight", packetsInFlight, 1, 64);
    }

    private static void check(String what, int value, int min, int max) {
        if (value < min || value > max) {
            throw new IllegalArgumentException(what + ": " + value + " (expected: " + min + ".." + max + ")");
        }
    }
}
