/**
 * The wire of PROTOCOL.md: bytes and descriptors on a UNIX-domain socket, to and from frames. Internal: the client and the
 * daemon use this package; it is not part of the API, and changes without notice.
 *
 * <p>There are two layers. {@link io.escrow.codec.PacketDecoder} and {@link io.escrow.codec.PacketEncoder} keep bytes and
 * descriptors apart and make packets count whole or not at all; {@link io.escrow.codec.FrameCodec} turns the bytes of
 * packets into frames. {@link io.escrow.codec.Wire} sets both up. Data flows one way: socket, packets, frames, and back.
 * This package knows no client, no daemon and no bootstrap. All state belongs to the event loop of the channel and needs
 * no locks.
 */
package io.escrow.codec;
