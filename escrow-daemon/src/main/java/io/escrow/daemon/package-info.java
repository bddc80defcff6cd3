/**
 * The daemon, to run by itself or embedded in another program: {@link io.escrow.daemon.EscrowDaemon}.
 *
 * <p>A request flows one way: socket, packets and frames (both in {@code io.escrow.codec}), session, store, and its answer
 * back. All of it happens on one event loop, without locks.
 */
package io.escrow.daemon;
