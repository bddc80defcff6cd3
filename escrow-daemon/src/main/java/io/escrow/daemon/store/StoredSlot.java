package io.escrow.daemon.store;

import io.escrow.Deposit;
import io.escrow.OwnedDescriptor;
import io.escrow.daemon.kernel.PeerIdentity;

/**
 * The contents of a slot.
 *
 * @param number the number that the descriptor had in the process that stored it, or -1
 * @param payload the payload, possibly empty
 * @param farewell the bytes to write to the descriptor when no client claims the slot, possibly empty
 * @param keepFlags whether receiving the descriptor must not change the flags of its open file
 * @param descriptor the descriptor, of which the store owns one reference, or {@code null}
 * @param owner the process that filled the slot
 * @param storedAt the time at which it did, in milliseconds since 1970
 * @param filling the number of its filling: each one in a store has its own, from 1 on; 0 if no store has taken it yet
 */
@SuppressWarnings("ArrayRecordComponent") // slots are not compared
public record StoredSlot(
        int number,
        byte[] payload,
        byte[] farewell,
        boolean keepFlags,
        OwnedDescriptor descriptor,
        PeerIdentity owner,
        long storedAt,
        long filling) {

    /** Creates a slot that no store has taken yet. */
    public StoredSlot(
            int number,
            byte[] payload,
            byte[] farewell,
            boolean keepFlags,
            OwnedDescriptor descriptor,
            PeerIdentity owner,
            long storedAt) {
        this(number, payload, farewell, keepFlags, descriptor, owner, storedAt, 0);
    }

    /** Creates a slot of an unknown process whose descriptor may be received in any way. */
    public StoredSlot(int number, byte[] payload, byte[] farewell, OwnedDescriptor descriptor) {
        this(number, payload, farewell, false, descriptor, PeerIdentity.UNKNOWN, 0);
    }

    /** Creates a slot without a farewell. */
    public StoredSlot(int number, byte[] payload, OwnedDescriptor descriptor) {
        this(number, payload, Deposit.NO_BYTES, descriptor);
    }

    /** Returns the same slot with other bytes. The new slot owns the reference to the descriptor. */
    StoredSlot with(byte[] otherPayload, byte[] otherFarewell) {
        return new StoredSlot(number, otherPayload, otherFarewell, keepFlags, descriptor, owner, storedAt, filling);
    }

    /** Returns the same slot with the number of its filling. The new slot owns the reference to the descriptor. */
    StoredSlot filled(long nextFilling) {
        return new StoredSlot(number, payload, farewell, keepFlags, descriptor, owner, storedAt, nextFilling);
    }

    /** Returns the size of the payload and the farewell, in bytes. */
    int bytes() {
        return payload.length + farewell.length;
    }
}
