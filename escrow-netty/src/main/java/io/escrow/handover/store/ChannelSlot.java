package io.escrow.handover.store;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.internal.Futures;
import io.netty.channel.unix.FileDescriptor;
import java.util.concurrent.CompletableFuture;

/**
 * Keeps one channel's slot. What is asked for is done one after the other, so that nothing of a replaced or removed
 * channel is left behind. May be used by any thread.
 */
public final class ChannelSlot {

    private final EscrowTable table;
    private final int tag;
    private final int index;
    /**
     * Where the channel is when everything that was asked for is done, but for {@link #last}; of {@code null} when it is nowhere. Never
     * fails.
     */
    private CompletableFuture<EscrowTable.Place> place;

    /** The first store or the removal that was asked for last; {@code null} if something else was, or nothing. */
    private CompletableFuture<Void> last;

    /** Where that stores the channel; {@code null} if it removes it. */
    private EscrowTable.Place lastPlace;

    /** Whether the last thing that was asked for is to empty the slot. */
    private boolean emptied;

    /** Addresses a slot; {@code place} is {@code null} if it is empty. */
    ChannelSlot(EscrowTable table, int tag, int index, EscrowTable.Place place) {
        this.table = table;
        this.tag = tag;
        this.index = index;
        this.place = CompletableFuture.completedFuture(place);
    }

    /** Returns {@link #place} behind what was asked for last, which makes no future of its own unless something follows. */
    private CompletableFuture<EscrowTable.Place> place() {
        if (last != null) {
            EscrowTable.Place stored = lastPlace;
            place = last.handle((nothing, failure) ->
                    failure == null || stored == null ? stored : table.unsure(tag, index, failure));
            last = null;
            lastPlace = null;
        }
        return place;
    }

    /**
     * Stores a channel, or replaces what is known about it.
     *
     * @param descriptor stays the caller's; the caller keeps it open until the future is done; {@code null} if an empty slot is
     *     to stay empty
     * @return done when it is stored; when it fails, the slot is as it was
     */
    public CompletableFuture<Void> store(FileDescriptor descriptor, ChannelRecord channel) {
        return store(descriptor, channel, null);
    }

    /**
     * Stores a channel, or replaces what is known about it.
     *
     * @param onSent called on the client's event loop when all is sent, so that the descriptor need not be kept open any more: the
     *     escrow does it even if this process dies; not called if there is nothing to send, or it can't be sent; {@code null} for nothing
     */
    public synchronized CompletableFuture<Void> store(
            FileDescriptor descriptor, ChannelRecord channel, Runnable onSent) {
        emptied = emptied && descriptor == null;
        CompletableFuture<EscrowTable.Place> before = place();
        if (descriptor != null && before.isDone() && before.join() == null) {
            // As most do: what follows is for those that are renewed.
            EscrowTable.Stored first = table.put(tag, index, descriptor, channel, onSent);
            last = first.done();
            lastPlace = first.place();
            return last;
        }
        CompletableFuture<EscrowTable.Place> stored = before.thenCompose(old -> {
            if (old != null && table.has(old)) {
                return table.update(old, channel, onSent)
                        .exceptionallyCompose(failure -> isEmpty(failure)
                                ? putIfOpen(old, descriptor, channel, onSent)
                                : CompletableFuture.failedFuture(failure));
            }
            return descriptor == null ? before : put(old, descriptor, channel, onSent);
        });
        place = stored.exceptionallyCompose(
                failure -> before.thenApply(old -> old == null ? table.unsure(tag, index, failure) : old));
        return stored.thenAccept(now -> {});
    }

    /**
     * Stores what has no descriptor, or replaces it.
     *
     * @return done when it is stored; when it fails, the slot is as it was
     */
    public synchronized CompletableFuture<Void> store(ChannelRecord record) {
        emptied = false;
        CompletableFuture<EscrowTable.Place> before = place();
        CompletableFuture<EscrowTable.Place> stored = before.thenCompose(old -> old != null && table.has(old)
                ? table.update(old, record, null)
                        .exceptionallyCompose(failure -> isEmpty(failure)
                                ? put(old, null, record, null)
                                : CompletableFuture.failedFuture(failure))
                : put(old, null, record, null));
        place = stored.exceptionallyCompose(
                failure -> before.thenApply(old -> old == null ? table.unsure(tag, index, failure) : old));
        return stored.thenAccept(now -> {});
    }

    /** Returns whether an operator has emptied the slot. */
    private static boolean isEmpty(Throwable failure) {
        return Futures.unwrap(failure) instanceof EscrowException refused && refused.status() == Status.ENOENT;
    }

    private CompletableFuture<EscrowTable.Place> putIfOpen(
            EscrowTable.Place old, FileDescriptor descriptor, ChannelRecord channel, Runnable onSent) {
        return descriptor == null ? CompletableFuture.completedFuture(null) : put(old, descriptor, channel, onSent);
    }

    /** Puts a channel in; that may be there already, from an earlier session. */
    private CompletableFuture<EscrowTable.Place> put(
            EscrowTable.Place old, FileDescriptor descriptor, ChannelRecord channel, Runnable onSent) {
        CompletableFuture<EscrowTable.Place> put =
                table.put(tag, index, descriptor, channel, onSent).whenPlaced();
        return old == null || old.chunks() == 0
                ? put
                : put.thenCompose(now -> table.freeChunks(old).handle((nothing, failure) -> now));
    }

    /** Empties the slot, if it is filled. The slot counts as empty even when that fails. */
    public CompletableFuture<Void> remove() {
        return remove(null);
    }

    /**
     * Empties the slot as {@link #remove()} does.
     *
     * @param onSent called on the client's event loop when that is sent: the escrow does it even if this process dies; not called if the
     *     slot is empty, or it can't be sent; {@code null} for nothing
     */
    public CompletableFuture<Void> remove(Runnable onSent) {
        return remove(false, onSent);
    }

    /** Empties the slot, if it is filled, when its channel has ended: another channel may get its index. */
    public CompletableFuture<Void> free() {
        return remove(true, null);
    }

    private synchronized CompletableFuture<Void> remove(boolean forGood, Runnable onSent) {
        emptied = true;
        CompletableFuture<EscrowTable.Place> before = place();
        last = before.isDone()
                ? remove(before.join(), forGood, onSent)
                : table.removing(before.thenCompose(old -> remove(old, forGood, onSent)));
        return last;
    }

    private CompletableFuture<Void> remove(EscrowTable.Place old, boolean forGood, Runnable onSent) {
        if (old != null) {
            return table.remove(old, forGood, onSent);
        }
        if (forGood) {
            table.release(tag, index);
        }
        return CompletableFuture.completedFuture(null);
    }

    /** Returns whether the escrow has a duplicate of the channel's descriptor, or may get one any moment. */
    public synchronized boolean mayBeFilled() {
        if (last != null && lastPlace == null) {
            return !last.isDone();
        }
        CompletableFuture<EscrowTable.Place> now = place();
        return !now.isDone() || now.join() != null;
    }

    /** Returns whether the slot is being emptied, or has been, so that nothing is to be renewed in it. */
    public synchronized boolean isEmptied() {
        return emptied;
    }

    public int index() {
        return index;
    }
}
