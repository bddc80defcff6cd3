package io.escrow;

/**
 * Describes one used slot, as a listing returns it.
 *
 * @param tag the tag of the slot
 * @param index the index of the slot within its tag
 * @param payloadSize the size of its payload in bytes
 * @param hasDescriptor whether it holds a descriptor, or a payload only
 * @param peerGone whether that descriptor is a TCP or UNIX-domain stream connection whose peer has gone: it has hung up
 *     in both directions, or the connection was reset. A peer that has only stopped sending has not gone
 */
public record SlotInfo(int tag, int index, int payloadSize, boolean hasDescriptor, boolean peerGone) {

    /**
     * Describes a slot whose peer has not gone, or was not looked at.
     *
     * @param tag see the record
     * @param index see the record
     * @param payloadSize see the record
     * @param hasDescriptor see the record
     */
    public SlotInfo(int tag, int index, int payloadSize, boolean hasDescriptor) {
        this(tag, index, payloadSize, hasDescriptor, false);
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
