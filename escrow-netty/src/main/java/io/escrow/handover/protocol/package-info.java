/**
 * What takes part in the move of a connection: handlers that are {@link io.escrow.handover.protocol.Movable}, and
 * {@linkplain io.escrow.handover.protocol.Protocol protocols}.
 *
 * <p>Uses Netty only.
 */
package io.escrow.handover.protocol;
