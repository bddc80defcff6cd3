package io.escrow;

/**
 * Sums up one tag.
 *
 * @param used how many slots are used
 * @param end the highest used index plus one; 0 when no slot is used
 * @param payloadBytes the sum of the sizes of all payloads and farewells, in bytes
 */
public record TagInfo(int used, long end, long payloadBytes) {}
