package io.escrow.codec;

/** Follows the last frame of a packet through the pipeline. */
public enum PacketEnd {
    /** The only one. */
    INSTANCE
}
