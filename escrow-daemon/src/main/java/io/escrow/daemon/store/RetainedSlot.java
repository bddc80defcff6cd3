package io.escrow.daemon.store;

import io.escrow.OwnedDescriptor;

/**
 * A slot that another thread than the store's inspects. Its descriptor stays open until this is closed, even when the
 * slot is emptied meanwhile.
 *
 * @param tag its tag
 * @param index its index
 * @param slot its contents; this object owns one reference to the descriptor
 */
public record RetainedSlot(int tag, int index, StoredSlot slot) implements AutoCloseable {

    /** Retains a slot. Called on the daemon's event loop. */
    public static RetainedSlot of(int tag, int index, StoredSlot slot) {
        OwnedDescriptor descriptor = slot.descriptor();
        if (descriptor != null) {
            descriptor.retain();
        }
        return new RetainedSlot(tag, index, slot);
    }

    /** Releases the descriptor. */
    @Override
    public void close() {
        if (slot.descriptor() != null) {
            slot.descriptor().release();
        }
    }
}
