package io.escrow.daemon.store;

import io.escrow.Deposit;
import io.escrow.OwnedDescriptor;
import io.escrow.daemon.kernel.PeerIdentity;

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
public record StoredSlot(
        int number,
        byte[] payload,
        byte[] farewell,
        boolean keepFlags,
        OwnedDescriptor descriptor,
        PeerIdentity owner,
        long storedAt) {

    /** Makes a slot of nobody in particular, whose descriptor may be received in any way. */
    public StoredSlot(int number, byte[] payload, byte[] farewell, OwnedDescriptor descriptor) {
        this(number, payload, farewell, false, descriptor, PeerIdentity.UNKNOWN, 0);
    }

    /** Makes a slot without a farewell. */
    public StoredSlot(int number, byte[] payload, OwnedDescriptor descriptor) {
        this(number, payload, Deposit.NO_BYTES, descriptor);
    }

    /** Returns the same slot with other bytes; the reference to the descriptor moves there. */
    StoredSlot with(byte[] otherPayload, byte[] otherFarewell) {
        return new StoredSlot(number, otherPayload, otherFarewell, keepFlags, descriptor, owner, storedAt);
    }

    /** Returns how much of the store's bytes this takes. */
    int bytes() {
        return payload.length + farewell.length;
    }
}
