package io.escrow.daemon.follow;

import io.escrow.daemon.store.StoreListener;
import io.escrow.daemon.store.StoredSlot;
import java.util.function.Consumer;

/**
 * Turns each change of a slot into a frame. All have the same body, one after the other: each change of each client comes
 * through here.
 */
final class SlotChanges implements StoreListener {

    private final boolean keepsFlags;
    private final Consumer<LinkFrame> out;
    private final Consumer<String> refused;
    private final Fields body = Fields.write();

    /**
     * Creates a listener.
     *
     * @param keepsFlags whether the follower receives descriptors without changing the flags of their open files
     * @param out sends a frame; its body is valid until that returns
     * @param refused is told why a slot can't be sent
     */
    SlotChanges(boolean keepsFlags, Consumer<LinkFrame> out, Consumer<String> refused) {
        this.keepsFlags = keepsFlags;
        this.out = out;
        this.refused = refused;
    }

    @Override
    public void filled(int tag, int index, StoredSlot slot) {
        if (slot.keepFlags() && !keepsFlags) {
            refused.accept("the other escrowd can't keep the flags of open files, which slot " + tag + "/" + index
                    + " needs: it can't use io_uring");
            return;
        }
        out.accept(SlotBody.filled(tag, index, slot, body));
    }

    @Override
    public void updated(int tag, int index, StoredSlot slot) {
        out.accept(LinkFrame.of(
                LinkKind.UPDATED,
                body.again(4 * Integer.BYTES + slot.payload().length + slot.farewell().length)
                        .put(tag)
                        .put(index)
                        .put(slot.payload())
                        .put(slot.farewell())));
    }

    @Override
    public void emptied(int tag, int index) {
        out.accept(LinkFrame.of(
                LinkKind.EMPTIED, body.again(2 * Integer.BYTES).put(tag).put(index)));
    }

    @Override
    public void cleared() {
        out.accept(LinkFrame.of(LinkKind.CLEARED));
    }
}
