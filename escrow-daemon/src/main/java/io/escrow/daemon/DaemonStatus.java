package io.escrow.daemon;

/**
 * Describes what a daemon holds at a moment.
 *
 * @param slots the number of used slots
 * @param descriptors the number of descriptors in them
 * @param session whether a session is open
 */
public record DaemonStatus(int slots, int descriptors, boolean session) {}
