package io.escrow.daemon;

import io.escrow.OwnedDescriptor;

/**
 * Holds on to a slot while it is looked at, on another thread than the store's: its descriptor stays open until then,
 * also when the slot is emptied meanwhile.
 *
 * @param tag its tag
 * @param index its index
 * @param slot what it holds; of its descriptor, one reference is owned
 */
record Held(int tag, int index, Slot slot) implements AutoCloseable {

    /** Holds on to a slot, on the daemon's event loop. */
    static Held of(int tag, int index, Slot slot) {
        OwnedDescriptor descriptor = slot.descriptor();
        if (descriptor != null) {
            descriptor.retain();
        }
        return new Held(tag, index, slot);
    }

    /** Lets go of it. */
    @Override
    public void close() {
        if (slot.descriptor() != null) {
            slot.descriptor().release();
        }
    }
}
