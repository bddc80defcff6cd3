package io.escrow;

/**
 * Addresses one slot of the escrow.
 *
 * @param tag the tag, 0 to the daemon's number of tags minus one (at most 65,535)
 * @param index the index within the tag, 0 to 2^31-1
 */
public record SlotKey(int tag, int index) {}
