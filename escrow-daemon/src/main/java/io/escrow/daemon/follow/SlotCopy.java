package io.escrow.daemon.follow;

import io.escrow.EscrowException;
import io.escrow.daemon.store.Store;
import io.escrow.daemon.store.StoreListener;

/** Sends all slots of a store, page by page, no faster than the follower carries them out. */
final class SlotCopy {

    private static final int PAGE = 64;
    private static final int PAGE_BYTES = 1024 * 1024;
    /** How many pages may be unacknowledged; bounds the descriptors in flight, and the memory. */
    private static final int WINDOW = 4;

    private final Store store;
    private final FrameQueue queue;
    private final StoreListener sender;
    private final int page;
    private int tag;
    private int from;

    /**
     * Begins before the first slot.
     *
     * @param sender sends each slot as if it were filled now
     * @param maxPayload the size of the largest payload of a slot
     */
    SlotCopy(Store store, FrameQueue queue, StoreListener sender, int maxPayload) {
        this.store = store;
        this.queue = queue;
        this.sender = sender;
        this.page = Math.max(1, Math.min(PAGE, PAGE_BYTES / Math.max(1, maxPayload)));
    }

    /** Sends as much as may be under way. Returns whether all slots were sent. */
    boolean goOn() {
        while (tag < store.tags() && queue.framesBehind() < WINDOW * page) {
            if (sendPage() > 0) {
                queue.flush();
                Steps.reached("snapshot");
            }
        }
        return tag == store.tags();
    }

    private int sendPage() {
        int[] visited = {0, from};
        try {
            store.visit(tag, from, page, (index, slot) -> {
                sender.filled(tag, index, slot);
                visited[0]++;
                visited[1] = index;
            });
        } catch (EscrowException e) {
            throw new IllegalStateException("a page of slots that can't be visited", e);
        }
        boolean more = visited[0] == page && visited[1] < Integer.MAX_VALUE;
        from = more ? visited[1] + 1 : 0;
        tag = more ? tag : tag + 1;
        return visited[0];
    }
}
