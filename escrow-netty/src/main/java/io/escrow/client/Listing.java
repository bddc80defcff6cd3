package io.escrow.client;

import io.escrow.EscrowConnectionException;
import io.escrow.SlotInfo;
import io.escrow.codec.Frame;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Lists the slots of a tag page by page. Asks for each page when the page before it has come. */
final class Listing {

    private final CompletableFuture<List<SlotInfo>> future = new CompletableFuture<>();
    private final List<SlotInfo> slots = new ArrayList<>();
    private final ClientSession session;
    private final int tag;
    private final boolean look;
    /** Which session the pages are from: those of two do not make one list. */
    private int number;

    private Listing(ClientSession session, int tag, boolean look) {
        this.session = session;
        this.tag = tag;
        this.look = look;
    }

    /**
     * Begins to list a tag.
     *
     * @param look whether the daemon looks which peers have gone
     * @return a future of the slots, by ascending index; no page is asked for after it was cancelled
     */
    static CompletableFuture<List<SlotInfo>> begin(ClientSession session, int tag, boolean look) {
        Listing listing = new Listing(session, tag, look);
        listing.ask(0);
        return listing.future;
    }

    private void ask(int from) {
        SingleRequest<Frame.ListPage> page = new SingleRequest<>(
                new Frame.ListRequest(tag, from, Frame.ListRequest.PAGE, look),
                Frame.ListPage.class::cast,
                answer -> {},
                null);
        page.future().whenComplete((answer, failure) -> {
            if (failure == null) {
                take(answer);
            } else {
                future.completeExceptionally(failure);
            }
        });
        future.whenComplete((all, failure) -> page.future().cancel(false));
        // Behind that, so that the event loop takes the page, in the session that it comes in.
        session.queue().submit(page);
    }

    private void take(Frame.ListPage page) {
        if (slots.isEmpty()) {
            number = session.sessions();
        } else if (number != session.sessions()) {
            future.completeExceptionally(
                    new EscrowConnectionException("the session ended after a part of the list had come", true, null));
            return;
        }
        slots.addAll(page.slots());
        if (page.next() < 0) {
            future.complete(slots);
        } else if (!future.isDone()) {
            ask(page.next());
        }
    }
}
