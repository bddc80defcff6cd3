/**
 * Bytes and descriptors on a UNIX-domain socket, to and from frames: the wire of PROTOCOL.md.
 *
 * <p>Two layers. {@link io.escrow.codec.PacketDecoder} and {@link io.escrow.codec.PacketEncoder} keep bytes and
 * descriptors apart and make packets count whole or not at all; {@link io.escrow.codec.FrameCodec} turns the bytes of
 * packets into frames. Data flows one way: socket, packets, frames, and back. Nothing here knows a client, a daemon or
 * a bootstrap. All state lives on the channel's event loop, without locks.
 */
package io.escrow.codec;
