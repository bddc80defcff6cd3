package io.escrow.daemon.follow;

import io.escrow.OwnedDescriptor;
import io.escrow.daemon.kernel.PeerIdentity;
import io.escrow.daemon.store.StoredSlot;

/** Converts slots to frames and back. */
final class SlotBody {

    /** The bytes of a slot's fields besides payload and farewell. */
    private static final int FIELDS = 8 * Integer.BYTES + 2 * Long.BYTES;

    private SlotBody() {}

    /**
     * Makes the frame that fills a slot; retains its descriptor.
     *
     * @param room what the body is written to, in place of what is there
     */
    static LinkFrame filled(int tag, int index, StoredSlot slot, Fields room) {
        Fields body = room.again(FIELDS + slot.payload().length + slot.farewell().length)
                .put(tag)
                .put(index)
                .put(slot.number())
                .put(slot.owner().pid())
                .put(slot.owner().uid())
                .put(slot.owner().gid())
                .put(slot.storedAt())
                .put(slot.filling())
                .put(slot.payload())
                .put(slot.farewell());
        OwnedDescriptor descriptor = slot.descriptor();
        return new LinkFrame(LinkKind.SLOT, body, slot.keepFlags(), descriptor == null ? null : descriptor.retain());
    }

    /**
     * Reads a slot behind its tag and index. It owns the frame's descriptor.
     *
     * @param before the owner of another slot: most have the same one, and then share it
     */
    static StoredSlot slot(Fields in, LinkFrame frame, PeerIdentity before) {
        int number = in.getInt();
        PeerIdentity owner = new PeerIdentity(in.getInt(), in.getInt(), in.getInt());
        owner = owner.equals(before) ? before : owner;
        long storedAt = in.getLong();
        long filling = in.getLong();
        return new StoredSlot(
                number,
                in.getBytes(),
                in.getBytes(),
                frame.keepFlags(),
                (OwnedDescriptor) frame.descriptor(),
                owner,
                storedAt,
                filling);
    }
}
