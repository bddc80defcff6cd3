package io.escrow;

import static java.util.Objects.requireNonNull;

import io.netty.channel.unix.FileDescriptor;

/**
 * Describes what to put into one slot.
 *
 * @param tag the tag of the slot
 * @param index the index of the slot within its tag
 * @param descriptor the descriptor to store a duplicate of, or {@code null} for a payload only; it still belongs to the
 *     caller, which keeps it open until the request is answered, and closes it afterwards
 * @param payload the payload, possibly empty; not copied, so the caller must leave it as it is until the answer
 * @param farewell the bytes that the daemon writes to the descriptor, if it is a connection, when no client claims the
 *     slot in time ({@code --unclaimed-timeout} of escrowd); possibly empty, not copied either
 */
@SuppressWarnings("ArrayRecordComponent") // deposits are never compared
public record Deposit(int tag, int index, FileDescriptor descriptor, byte[] payload, byte[] farewell) {

    /** An empty payload or farewell. */
    public static final byte[] NO_BYTES = {};

    /**
     * Checks that the payload and the farewell are not {@code null}.
     *
     * @param tag see the record
     * @param index see the record
     * @param descriptor see the record
     * @param payload not {@code null}
     * @param farewell not {@code null}
     */
    public Deposit {
        requireNonNull(payload, "payload");
        requireNonNull(farewell, "farewell");
    }

    /**
     * Describes a slot without a farewell.
     *
     * @param tag see the record
     * @param index see the record
     * @param descriptor see the record
     * @param payload see the record
     */
    public Deposit(int tag, int index, FileDescriptor descriptor, byte[] payload) {
        this(tag, index, descriptor, payload, NO_BYTES);
    }

    /**
     * Describes a descriptor without a payload.
     *
     * @param tag the tag of the slot
     * @param index the index of the slot within its tag
     * @param descriptor the descriptor to store a duplicate of; still belongs to the caller
     */
    public Deposit(int tag, int index, FileDescriptor descriptor) {
        this(tag, index, descriptor, NO_BYTES);
    }

    /**
     * Returns the address of the slot.
     *
     * @return tag and index
     */
    public SlotKey key() {
        return new SlotKey(tag, index);
    }
}
