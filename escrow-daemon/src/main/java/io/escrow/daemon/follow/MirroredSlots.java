package io.escrow.daemon.follow;

import io.escrow.EscrowException;
import io.escrow.daemon.kernel.PeerIdentity;
import io.escrow.daemon.store.Store;
import io.escrow.daemon.store.StoredSlot;

/** Does to the own store what frames say was done to that of the primary. Used on the store's event loop. */
final class MirroredSlots {

    private final Store store;
    private PeerIdentity owner = PeerIdentity.UNKNOWN;

    MirroredSlots(Store store) {
        this.store = store;
    }

    /** Fills a slot; it owns the frame's descriptor, unless this method throws. */
    void fill(LinkFrame frame) throws EscrowException {
        Steps.reached("slot");
        Fields in = frame.body();
        int tag = in.getInt();
        int index = in.getInt();
        StoredSlot slot = SlotBody.slot(in, frame, owner);
        owner = slot.owner();
        store.restore(tag, index, slot);
    }

    void empty(Fields in) throws EscrowException {
        int tag = in.getInt();
        int index = in.getInt();
        if (store.isUsed(tag, index)) {
            store.delete(tag, index);
        }
    }

    void update(Fields in) throws EscrowException {
        int tag = in.getInt();
        int index = in.getInt();
        if (store.isUsed(tag, index)) {
            store.update(tag, index, in.getBytes(), in.getBytes());
        }
    }

    void clear() {
        store.clear();
    }
}
