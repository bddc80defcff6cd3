package io.escrow.daemon;

import io.escrow.OwnedDescriptor;

/**
 * Holds what was put into a slot.
 *
 * @param number the number of the descriptor in the process that stored it, or -1
 * @param payload the payload, possibly empty
 * @param descriptor the descriptor, of which the store owns one reference, or {@code null}
 */
@SuppressWarnings("ArrayRecordComponent") // slots are not compared
record Slot(int number, byte[] payload, OwnedDescriptor descriptor) {}
