package io.escrow;

import static java.util.Objects.requireNonNull;

import io.netty.channel.unix.FileDescriptor;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Holds what a slot contained: its payload, and a duplicate of its descriptor if it has one.
 *
 * <p>The entry owns the duplicate until {@link #takeDescriptor()} or {@link #close()} is called. Any thread may use it.
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
     * @param descriptor the descriptor, owned by this entry from now on, or {@code null}
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
     * @param descriptor the descriptor, owned by this entry from now on, or {@code null}
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
     * Returns the bytes that the daemon would write to the descriptor if no client claimed the slot.
     *
     * @return the farewell itself, not a copy; empty if there is none
     */
    public byte[] farewell() {
        return farewell;
    }

    /**
     * Returns whether this entry has a descriptor that can be taken.
     *
     * @return {@code false} if the slot had only a payload, or the descriptor was taken or closed
     */
    public boolean hasDescriptor() {
        return descriptor.get() != null;
    }

    /**
     * Takes the descriptor out of this entry.
     *
     * @return the descriptor, which the caller closes
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
