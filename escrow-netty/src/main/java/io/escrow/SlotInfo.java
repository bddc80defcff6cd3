package io.escrow;

/**
 * Describes one used slot, as a listing returns it.
 *
 * @param tag the tag of the slot
 * @param index the index of the slot within its tag
 * @param payloadSize the size of its payload in bytes
 * @param hasDescriptor whether it holds a descriptor, or a payload only
 */
public record SlotInfo(int tag, int index, int payloadSize, boolean hasDescriptor) {

    /**
     * Returns the address of the slot.
     *
     * @return tag and index
     */
    public SlotKey key() {
        return new SlotKey(tag, index);
    }
}
