/**
 * Moves a running server's listeners and live connections to its next process.
 *
 * <p>{@link io.escrow.handover.ServerHandover} is all that a server sees: it adopts what the escrow holds or binds, and
 * hands over. Each connection has a {@link io.escrow.handover.Guard} at the head of its pipeline, which holds it still
 * while it changes hands; {@link io.escrow.handover.Dismantler} and {@link io.escrow.handover.Assembler} take a channel
 * apart and put it together; {@link io.escrow.handover.store.EscrowTable} keeps the result in slots. State of a connection
 * lives on its channel's event loop.
 */
package io.escrow.handover;
