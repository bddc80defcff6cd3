package io.escrow;

import static java.util.Objects.requireNonNull;

import io.netty.channel.unix.FileDescriptor;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Holds what came out of a slot: a duplicate of its descriptor, if it has one, and its payload.
 *
 * <p>Owns the duplicate until {@link #takeDescriptor()} or {@link #close()}, whichever comes first. May be used by any
 * thread.
 */
public final class Entry implements AutoCloseable {

    private final int tag;
    private final int index;
    private final int number;
    private final byte[] payload;
    private final byte[] farewell;
    private final AtomicReference<OwnedDescriptor> descriptor;

    /**
     * Makes an entry without a farewell.
     *
     * @param tag the tag of the slot
     * @param index the index of the slot within its tag
     * @param number the number that the descriptor had in the process that stored it; -1 without a descriptor
     * @param payload the payload, possibly empty; not copied
     * @param descriptor the descriptor, from now on owned by this entry, or {@code null}
     */
    public Entry(int tag, int index, int number, byte[] payload, OwnedDescriptor descriptor) {
        this(tag, index, number, payload, Deposit.NO_BYTES, descriptor);
    }

    /**
     * Makes an entry.
     *
     * @param tag the tag of the slot
     * @param index the index of the slot within its tag
     * @param number the number that the descriptor had in the process that stored it; -1 without a descriptor
     * @param payload the payload, possibly empty; not copied
     * @param farewell the farewell, possibly empty; not copied
     * @param descriptor the descriptor, from now on owned by this entry, or {@code null}
     */
    public Entry(int tag, int index, int number, byte[] payload, byte[] farewell, OwnedDescriptor descriptor) {
        this.tag = tag;
        this.index = index;
        this.number = number;
        this.payload = requireNonNull(payload, "payload");
        this.farewell = requireNonNull(farewell, "farewell");
        this.descriptor = new AtomicReference<>(descriptor);
    }

    /**
     * Returns the tag of the slot.
     *
     * @return the tag
     */
    public int tag() {
        return tag;
    }

    /**
     * Returns the index of the slot within its tag.
     *
     * @return the index
     */
    public int index() {
        return index;
    }

    /**
     * Returns the address of the slot.
     *
     * @return tag and index
     */
    public SlotKey key() {
        return new SlotKey(tag, index);
    }

    /**
     * Returns the number that the descriptor had in the process that stored it.
     *
     * @return the number, or -1 if the slot holds a payload only
     */
    public int number() {
        return number;
    }

    /**
     * Returns the payload.
     *
     * @return the payload itself, not a copy; empty if there is none
     */
    public byte[] payload() {
        return payload;
    }

    /**
     * Returns what the daemon would write to the descriptor if nobody claimed the slot.
     *
     * @return the farewell itself, not a copy; empty if there is none
     */
    public byte[] farewell() {
        return farewell;
    }

    /**
     * Tells whether a descriptor is here to be taken.
     *
     * @return {@code false} for a payload only, and after the descriptor was taken or closed
     */
    public boolean hasDescriptor() {
        return descriptor.get() != null;
    }

    /**
     * Takes the descriptor out of this entry.
     *
     * @return the descriptor, from now on the caller's to close
     * @throws IllegalStateException if there is none, or it was taken or closed before
     */
    public FileDescriptor takeDescriptor() {
        OwnedDescriptor taken = descriptor.getAndSet(null);
        if (taken == null) {
            throw new IllegalStateException("slot " + tag + "/" + index + " has no descriptor, or it was taken before");
        }
        return taken.detach();
    }

    /** Closes the descriptor unless it was taken; does nothing the second time. */
    @Override
    public void close() {
        OwnedDescriptor held = descriptor.getAndSet(null);
        if (held != null) {
            held.release();
        }
    }

    @Override
    public String toString() {
        OwnedDescriptor held = descriptor.get();
        return "Entry{" + tag + "/" + index + ", descriptor=" + (held == null ? "none" : held.intValue()) + ", payload="
                + payload.length + " bytes}";
    }
}
