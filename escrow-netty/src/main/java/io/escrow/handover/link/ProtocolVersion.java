package io.escrow.handover.link;

import java.nio.ByteBuffer;

/**
 * The version of a process's part in the talk of two processes, with which {@link ProcessLink.Kind#WELCOME} and {@link
 * ProcessLink.Kind#READY} begin it.
 *
 * @param lowest the lowest version that the other process must know
 * @param version the version of this process
 * @param features the features of this process, a bit each; none is defined yet
 */
public record ProtocolVersion(int lowest, int version, long features) {

    /** The version of this library. */
    public static final ProtocolVersion OWN = new ProtocolVersion(1, 2, 0);

    /** The version of a process that does not send one. */
    private static final ProtocolVersion UNSENT = new ProtocolVersion(1, 1, 0);

    private static final int LENGTH = 2 * Byte.BYTES + Long.BYTES;

    /** Reads what {@link #encode} wrote; what a later version may have added is ignored. */
    public static ProtocolVersion decode(ByteBuffer content) {
        return content.remaining() < LENGTH
                ? UNSENT
                : new ProtocolVersion(
                        Byte.toUnsignedInt(content.get()), Byte.toUnsignedInt(content.get()), content.getLong());
    }

    /** Returns the bytes of this version. */
    public byte[] encode() {
        return ByteBuffer.allocate(LENGTH)
                .put((byte) lowest)
                .put((byte) version)
                .putLong(features)
                .array();
    }

    /** Returns whether a process of this version and one of another can hand over in waves. */
    public boolean fits(ProtocolVersion other) {
        return version >= other.lowest && other.version >= lowest;
    }
}
