package io.escrow.daemon;

import io.escrow.OwnedDescriptor;
import io.escrow.codec.Frame;

/**
 * Holds what was put into a slot.
 *
 * @param number the number of the descriptor in the process that stored it, or -1
 * @param payload the payload, possibly empty
 * @param farewell what is written to the descriptor when nobody claims the slot, possibly empty
 * @param keepFlags whether receiving the descriptor must not change the flags of its open file
 * @param descriptor the descriptor, of which the store owns one reference, or {@code null}
 */
@SuppressWarnings("ArrayRecordComponent") // slots are not compared
record Slot(int number, byte[] payload, byte[] farewell, boolean keepFlags, OwnedDescriptor descriptor) {

    /** Makes a slot whose descriptor may be received in any way. */
    Slot(int number, byte[] payload, byte[] farewell, OwnedDescriptor descriptor) {
        this(number, payload, farewell, false, descriptor);
    }

    /** Makes a slot without a farewell. */
    Slot(int number, byte[] payload, OwnedDescriptor descriptor) {
        this(number, payload, Frame.NO_PAYLOAD, descriptor);
    }

    /** Returns how much of the store's bytes this takes. */
    int bytes() {
        return payload.length + farewell.length;
    }
}
