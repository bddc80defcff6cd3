/**
 * Moves a running server's listeners and live connections to its next process.
 *
 * <p>{@link io.escrow.handover.ServerHandover} is all that a server sees: it adopts what the escrow holds or binds, and
 * hands over. Behind it, a start and a handover are one task each, on a thread of its own; what they share is the {@code
 * HandoverContext}. A handover moves connections at once, through the escrow, or in waves, from process to process.
 *
 * <p>Uses the packages below this one, but not {@code io.escrow.handover.http}, which is found as a service.
 */
package io.escrow.handover;
