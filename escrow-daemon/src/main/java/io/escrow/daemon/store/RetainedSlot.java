package io.escrow.daemon.store;

import io.escrow.OwnedDescriptor;

/**
 * Holds on to a slot while it is looked at, on another thread than the store's: its descriptor stays open until then,
 * also when the slot is emptied meanwhile.
 *
 * @param tag its tag
 * @param index its index
 * @param slot what it holds; of its descriptor, one reference is owned
 */
public record RetainedSlot(int tag, int index, StoredSlot slot) implements AutoCloseable {

    /** Holds on to a slot, on the daemon's event loop. */
    public static RetainedSlot of(int tag, int index, StoredSlot slot) {
        OwnedDescriptor descriptor = slot.descriptor();
        if (descriptor != null) {
            descriptor.retain();
        }
        return new RetainedSlot(tag, index, slot);
    }

    /** Lets go of it. */
    @Override
    public void close() {
        if (slot.descriptor() != null) {
            slot.descriptor().release();
        }
    }
}
