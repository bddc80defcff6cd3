package io.escrow.daemon;

import io.escrow.Deposit;
import io.escrow.OwnedDescriptor;

/**
 * Holds what was put into a slot.
 *
 * @param number the number of the descriptor in the process that stored it, or -1
 * @param payload the payload, possibly empty
 * @param farewell what is written to the descriptor when nobody claims the slot, possibly empty
 * @param keepFlags whether receiving the descriptor must not change the flags of its open file
 * @param descriptor the descriptor, of which the store owns one reference, or {@code null}
 * @param owner who filled the slot
 * @param storedAt when, in milliseconds since 1970
 */
@SuppressWarnings("ArrayRecordComponent") // slots are not compared
record Slot(
        int number,
        byte[] payload,
        byte[] farewell,
        boolean keepFlags,
        OwnedDescriptor descriptor,
        Peer owner,
        long storedAt) {

    /** Makes a slot of nobody in particular, whose descriptor may be received in any way. */
    Slot(int number, byte[] payload, byte[] farewell, OwnedDescriptor descriptor) {
        this(number, payload, farewell, false, descriptor, Peer.UNKNOWN, 0);
    }

    /** Makes a slot without a farewell. */
    Slot(int number, byte[] payload, OwnedDescriptor descriptor) {
        this(number, payload, Deposit.NO_BYTES, descriptor);
    }

    /** Returns the same slot with other bytes; the reference to the descriptor moves there. */
    Slot with(byte[] otherPayload, byte[] otherFarewell) {
        return new Slot(number, otherPayload, otherFarewell, keepFlags, descriptor, owner, storedAt);
    }

    /** Returns how much of the store's bytes this takes. */
    int bytes() {
        return payload.length + farewell.length;
    }
}
