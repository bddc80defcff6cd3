package io.escrow.codec;

/** Follows the last frame of a packet through the pipeline. Written behind a frame, its promise completes with the packet. */
public enum PacketEnd {
    /** The only one. */
    INSTANCE
}
