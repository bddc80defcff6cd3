package io.escrow.daemon;

/**
 * Bounds what the store holds in all.
 *
 * @param slots the most slots
 * @param payloadBytes the largest sum of all payloads, in bytes
 * @param descriptors the most descriptors
 */
public record StoreLimits(int slots, long payloadBytes, int descriptors) {}
