package io.escrow.handover.store;

import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.EscrowConnectionException;
import io.escrow.EscrowException;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.escrow.internal.Futures;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.unix.FileDescriptor;
import java.util.Arrays;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;

/**
 * Keeps channels in the slots of three tags: listeners, connections, and what is too large for one payload. May be used
 * by any thread.
 *
 * <p>The payload of a channel's slot is {@code chunks i32, first i32}, then its record; when that is longer than a
 * payload may be, it goes on in so many slots of the third tag, from index {@code first} on. Those are stored before the
 * channel's slot and freed after it, so that a channel's slot that is there is complete. See "Slots" in RECORDS.md.
 */
public final class EscrowTable {

    /** Addresses a stored channel; what was stored in an earlier session need not be there any more. */
    record Place(int tag, int index, int firstChunk, int chunks, int session) {}

    /**
     * Holds what a request to store a channel leads to.
     *
     * @param place where the channel is then
     * @param done fails if it is not stored
     */
    record Stored(Place place, CompletableFuture<Void> done) {

        /** Returns a future of the place when the channel is there. */
        CompletableFuture<Place> whenPlaced() {
            return done.thenApply(nothing -> place);
        }
    }

    /** Asks for a slot to be emptied; {@code forGood} if nobody fills it again through the same {@link ChannelSlot}. */
    private record Removal(Place place, boolean forGood) {}

    public static final int HEADER_LENGTH = 8;
    static final int MAX_CHUNKS = 1 << 16;
    /** So many indices before the highest one, it is time to find out which of the first ones are in use. */
    private static final int NEAR_THE_END = 1 << 20;

    private final int firstTag;
    private final SlotNumbers listenerNumbers = new SlotNumbers();
    private final SlotNumbers connectionNumbers = new SlotNumbers();
    private final SlotNumbers chunkNumbers = new SlotNumbers();
    private final Queue<Removal> notFreed = new ConcurrentLinkedQueue<>();
    private final Queue<Place> strayChunks = new ConcurrentLinkedQueue<>();
    private final Map<Object, CompletableFuture<Void>> removals = new ConcurrentHashMap<>();
    private volatile EscrowClient client;
    private final AtomicInteger session = new AtomicInteger();

    public EscrowTable(int firstTag) {
        this.firstTag = firstTag;
    }

    /**
     * Begins a session: finds out which indices are free, and frees what could not be freed without one.
     *
     * @return a future that fails with an {@link EscrowException} if the daemon has too few tags, among others
     */
    public CompletableFuture<Void> begin(EscrowClient client) {
        this.client = client;
        session.incrementAndGet();
        if (chunkTag() >= client.tags()) {
            return CompletableFuture.failedFuture(new EscrowException(
                    Status.EINVAL,
                    "first tag: " + firstTag + ", so that the server uses the tags " + firstTag + " to " + chunkTag()
                            + "; escrowd has " + client.tags()
                            + ", from 0 on: choose a smaller first tag, or start escrowd"
                            + " with --tags " + (chunkTag() + 1)));
        }
        return CompletableFuture.allOf(
                        prepare(listenerTag(), listenerNumbers),
                        prepare(connectionTag(), connectionNumbers),
                        prepare(chunkTag(), chunkNumbers))
                .thenRun(this::freeTheRest);
    }

    /** Takes no index again that was used in an earlier session, in case that the daemon still has what is there. */
    private CompletableFuture<Void> prepare(int tag, SlotNumbers numbers) {
        return client.tag(tag).thenCompose(info -> {
            numbers.skipTo(info.end());
            return numbers.left() < NEAR_THE_END ? reserveUsed(tag, numbers) : CompletableFuture.completedFuture(null);
        });
    }

    /** Keeps the indices of used slots from being handed out: also those that are not this server's. */
    private CompletableFuture<Void> reserveUsed(int tag, SlotNumbers numbers) {
        return client.list(tag).thenAccept(slots -> slots.forEach(slot -> numbers.reserve(slot.index(), 1)));
    }

    private void freeTheRest() {
        for (Removal removal = notFreed.poll(); removal != null; removal = notFreed.poll()) {
            remove(removal.place(), removal.forGood(), null);
        }
    }

    /** Frees chunks that could not be freed without a session. Called when no slot can refer to them any more. */
    public void freeStrayChunks() {
        for (Place place = strayChunks.poll(); place != null; place = strayChunks.poll()) {
            freeChunks(place);
        }
    }

    /** Returns the client of the session that is on, or was the last. */
    public EscrowClient client() {
        return client;
    }

    /** Returns whether a place is sure to be there. */
    boolean has(Place place) {
        return place.session() == session.get();
    }

    public int listenerTag() {
        return firstTag;
    }

    public int connectionTag() {
        return firstTag + 1;
    }

    int chunkTag() {
        return firstTag + 2;
    }

    public ChannelSlot newListenerSlot() {
        return new ChannelSlot(this, listenerTag(), take(listenerTag(), listenerNumbers, 1), null);
    }

    public ChannelSlot newConnectionSlot() {
        return new ChannelSlot(this, connectionTag(), take(connectionTag(), connectionNumbers, 1), null);
    }

    private int take(int tag, SlotNumbers numbers, int count) {
        long before = numbers.left();
        int first = numbers.take(count);
        if (before >= NEAR_THE_END && numbers.left() < NEAR_THE_END) {
            // Without a session this fails; the next session begins with it.
            reserveUsed(tag, numbers);
        }
        return first;
    }

    private SlotNumbers numbers(int tag) {
        return tag == listenerTag() ? listenerNumbers : connectionNumbers;
    }

    /** Gives an index back: its slot is empty, and stays so. */
    void release(int tag, int index) {
        numbers(tag).release(index);
    }

    /** Returns the slot of an entry that can be read. */
    public ChannelSlot slot(Entry entry) {
        Place place = place(entry);
        numbers(entry.tag()).reserve(entry.index(), 1);
        if (place.chunks() > 0) {
            chunkNumbers.reserve(place.firstChunk(), place.chunks());
        }
        return new ChannelSlot(this, entry.tag(), entry.index(), place);
    }

    /**
     * Stores a channel. Its descriptor stays the caller's; the caller keeps it open until it is sent or the future is done.
     *
     * @param onSent called when it is sent; {@code null} for nothing
     */
    Stored put(int tag, int index, FileDescriptor descriptor, ChannelRecord channel, Runnable onSent) {
        return store(
                tag,
                index,
                channel,
                payload -> add(new Deposit(tag, index, descriptor, payload, channel.farewell()), onSent));
    }

    private CompletableFuture<Void> add(Deposit deposit, Runnable onSent) {
        return onSent == null ? client.add(deposit) : client.add(deposit, onSent);
    }

    /**
     * Replaces what is known about a channel that is stored already, and frees the chunks that it had.
     *
     * @param onSent called when that is sent; {@code null} for nothing
     */
    CompletableFuture<Place> update(Place old, ChannelRecord channel, Runnable onSent) {
        return store(
                        old.tag(),
                        old.index(),
                        channel,
                        payload -> update(old, payload, client.maxFarewell() == 0 ? null : channel.farewell(), onSent))
                .whenPlaced()
                .thenCompose(updated -> freeChunks(old).handle((nothing, failure) -> updated));
    }

    private CompletableFuture<Void> update(Place place, byte[] payload, byte[] farewell, Runnable onSent) {
        if (onSent != null) {
            return client.update(place.tag(), place.index(), payload, farewell, onSent);
        }
        return farewell == null
                ? client.update(place.tag(), place.index(), payload)
                : client.update(place.tag(), place.index(), payload, farewell);
    }

    private Stored store(int tag, int index, ChannelRecord channel, Function<byte[], CompletableFuture<Void>> last) {
        int length = channel.encodedLength();
        int room = client.maxPayload();
        int inSlot = Math.min(length, room - HEADER_LENGTH);
        int chunks = (length - inSlot + room - 1) / room;
        Place place =
                new Place(tag, index, chunks == 0 ? 0 : take(chunkTag(), chunkNumbers, chunks), chunks, session.get());
        ByteBuf out = Unpooled.buffer(HEADER_LENGTH + length);
        out.writeInt(chunks).writeInt(place.firstChunk());
        channel.encode(out);
        byte[] whole = out.array();
        if (chunks == 0) {
            return new Stored(place, last.apply(whole));
        }
        CompletableFuture<Void> done = RecordReader.all(chunks, i -> {
                    int from = HEADER_LENGTH + inSlot + i * room;
                    byte[] chunk = Arrays.copyOfRange(whole, from, Math.min(from + room, whole.length));
                    return client.add(chunkTag(), place.firstChunk() + i, chunk);
                })
                .thenCompose(nothing -> last.apply(Arrays.copyOf(whole, HEADER_LENGTH + inSlot)))
                .exceptionallyCompose(failure -> freeChunks(place)
                        .handle((nothing, ignored) -> null)
                        .thenCompose(nothing -> CompletableFuture.failedFuture(failure)));
        return new Stored(place, done);
    }

    /**
     * Frees a channel's slot and its chunks; in the next session, if this one is lost.
     *
     * @param forGood whether its index may be another channel's when it is free
     * @param onSent called when that is sent; {@code null} for nothing
     */
    CompletableFuture<Void> remove(Place place, boolean forGood, Runnable onSent) {
        CompletableFuture<Void> deleted = delete(place, forGood, onSent);
        Object removal = new Object();
        removals.put(removal, deleted);
        CompletableFuture<Void> removed = deleted.whenComplete((nothing, failure) -> {
            removals.remove(removal);
            if (isLoss(failure)) {
                notFreed.add(new Removal(place, forGood));
            } else if (forGood) {
                release(place.tag(), place.index());
            }
        });
        return place.chunks() == 0 ? removed : removing(freeChunksAfter(removed, place));
    }

    private CompletableFuture<Void> freeChunksAfter(CompletableFuture<Void> removed, Place place) {
        return removed.handle((nothing, failure) -> {
                    CompletableFuture<Void> chunks =
                            isLoss(failure) ? CompletableFuture.completedFuture(null) : freeChunks(place);
                    return failure == null ? chunks : CompletableFuture.<Void>failedFuture(failure);
                })
                .thenCompose(freed -> freed);
    }

    private CompletableFuture<Void> delete(Place place, boolean forGood, Runnable onSent) {
        if (onSent != null) {
            return client.delete(place.tag(), place.index(), onSent);
        }
        // Nobody waits for the slot of a channel that has ended.
        return forGood ? client.deleteSoon(place.tag(), place.index()) : client.delete(place.tag(), place.index());
    }

    /** Notes that something is being removed, and returns the future of that. */
    CompletableFuture<Void> removing(CompletableFuture<Void> removed) {
        Object removal = new Object();
        removals.put(removal, removed);
        removed.whenComplete((nothing, failure) -> removals.remove(removal));
        return removed;
    }

    /** Returns a future that is done when all removals are that were asked for, whether or not they succeed. */
    public CompletableFuture<Void> removed() {
        return CompletableFuture.allOf(removals.values().stream()
                .map(removal -> removal.handle((nothing, failure) -> null))
                .toArray(CompletableFuture[]::new));
    }

    /** Returns where a channel may be that was not stored, because the session was lost; {@code null} if it is not. */
    Place unsure(int tag, int index, Throwable failure) {
        return Futures.unwrap(failure) instanceof EscrowConnectionException lost && lost.maybeCarriedOut()
                ? new Place(tag, index, 0, 0, 0)
                : null;
    }

    private static boolean isLoss(Throwable failure) {
        return Futures.unwrap(failure) instanceof EscrowConnectionException;
    }

    /** Frees the chunks of a record; see {@link #freeStrayChunks()} if the session is lost. */
    CompletableFuture<Void> freeChunks(Place place) {
        if (place.chunks() == 0) {
            return CompletableFuture.completedFuture(null);
        }
        return RecordReader.all(place.chunks(), i -> client.delete(chunkTag(), place.firstChunk() + i))
                .whenComplete((nothing, failure) -> {
                    if (isLoss(failure)) {
                        strayChunks.add(place);
                    } else {
                        chunkNumbers.release(place.firstChunk());
                    }
                });
    }

    /** Frees a slot, whatever it holds. */
    public CompletableFuture<Void> discard(SlotKey slot) {
        return client.delete(slot.tag(), slot.index());
    }

    /** Frees a slot, whatever it holds, and the chunks that it refers to. */
    public CompletableFuture<Void> discard(Entry entry) {
        return RecordReader.isHeader(entry.payload()) ? remove(place(entry), true, null) : discard(entry.key());
    }

    private Place place(Entry entry) {
        byte[] payload = entry.payload();
        return new Place(
                entry.tag(),
                entry.index(),
                RecordReader.firstChunk(payload),
                RecordReader.chunks(payload),
                session.get());
    }

    /**
     * Puts the record of an entry together. Leaves the entry's descriptor alone.
     *
     * @return a future that fails with an {@link UnreadableRecordException} if the slot holds no record that this version
     *     can read, which says nothing about other versions: the slot must stay; with another one if the escrow could
     *     not be asked
     */
    public CompletableFuture<ChannelRecord> read(Entry entry) {
        return new RecordReader(client, chunkTag()).read(entry);
    }
}
