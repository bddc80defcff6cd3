/**
 * The daemon: its command line, its socket file, one session at a time, and the store of slots.
 *
 * <p>A request flows one way: socket, packets and frames (both in {@code io.escrow.codec}), {@link
 * io.escrow.daemon.Session}, {@link io.escrow.daemon.Store}, and its answer back. All of it happens on one event loop,
 * without locks.
 */
package io.escrow.daemon;
