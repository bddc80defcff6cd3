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
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.unix.FileDescriptor;
import java.util.Arrays;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.IntFunction;

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

    public static final int HEADER_LENGTH = 8;
    static final int MAX_CHUNKS = 1 << 16;

    private final int firstTag;
    private final AtomicInteger nextListener = new AtomicInteger();
    private final AtomicInteger nextConnection = new AtomicInteger();
    private final AtomicInteger nextChunk = new AtomicInteger();
    private final Queue<Place> notFreed = new ConcurrentLinkedQueue<>();
    private volatile EscrowClient client;
    private final AtomicInteger session = new AtomicInteger();

    public EscrowTable(int firstTag) {
        this.firstTag = firstTag;
    }

    /** Begins a session: finds out which indices are free, and frees what could not be freed without one. */
    public CompletableFuture<Void> begin(EscrowClient client) {
        this.client = client;
        session.incrementAndGet();
        return CompletableFuture.allOf(
                        prepare(listenerTag(), nextListener),
                        prepare(connectionTag(), nextConnection),
                        prepare(chunkTag(), nextChunk))
                .thenRun(this::freeTheRest);
    }

    /** Takes no index again that was used in an earlier session, in case that the daemon still has what is there. */
    private CompletableFuture<Void> prepare(int tag, AtomicInteger next) {
        return client.tag(tag)
                .thenAccept(info -> next.accumulateAndGet((int) Math.min(info.end(), Integer.MAX_VALUE), Math::max));
    }

    private void freeTheRest() {
        for (Place place = notFreed.poll(); place != null; place = notFreed.poll()) {
            remove(place);
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

    private int chunkTag() {
        return firstTag + 2;
    }

    public ChannelSlot newListenerSlot() {
        return new ChannelSlot(this, listenerTag(), next(nextListener, 1), null);
    }

    public ChannelSlot newConnectionSlot() {
        return new ChannelSlot(this, connectionTag(), next(nextConnection, 1), null);
    }

    private static int next(AtomicInteger next, int count) {
        return next.getAndUpdate(n -> n > Integer.MAX_VALUE - count ? 0 : n + count);
    }

    /** Returns the slot of an entry that can be read. */
    public ChannelSlot slot(Entry entry) {
        return new ChannelSlot(this, entry.tag(), entry.index(), place(entry, Unpooled.wrappedBuffer(entry.payload())));
    }

    /** Stores a channel. Its descriptor stays the caller's; the caller keeps it open until it is sent or the future is done. */
    CompletableFuture<Place> put(
            int tag, int index, FileDescriptor descriptor, ChannelRecord channel, Runnable onSent) {
        return store(
                tag,
                index,
                channel,
                payload -> client.add(new Deposit(tag, index, descriptor, payload, channel.farewell()), onSent));
    }

    /** Replaces what is known about a channel that is stored already, and frees the chunks that it had. */
    CompletableFuture<Place> update(Place old, ChannelRecord channel) {
        return store(
                        old.tag(),
                        old.index(),
                        channel,
                        payload -> client.maxFarewell() == 0
                                ? client.update(old.tag(), old.index(), payload)
                                : client.update(old.tag(), old.index(), payload, channel.farewell()))
                .thenCompose(updated -> freeChunks(old).handle((nothing, failure) -> updated));
    }

    private CompletableFuture<Place> store(
            int tag, int index, ChannelRecord channel, Function<byte[], CompletableFuture<Void>> last) {
        byte[] record = channel.encode();
        int room = client.maxPayload();
        int inSlot = Math.min(record.length, room - HEADER_LENGTH);
        int chunks = (record.length - inSlot + room - 1) / room;
        Place place = new Place(tag, index, chunks == 0 ? 0 : next(nextChunk, chunks), chunks, session.get());
        ByteBuf payload = Unpooled.buffer(HEADER_LENGTH + inSlot);
        payload.writeInt(chunks).writeInt(place.firstChunk()).writeBytes(record, 0, inSlot);
        byte[] bytes = ByteBufUtil.getBytes(payload);
        if (chunks == 0) {
            return last.apply(bytes).thenApply(nothing -> place);
        }
        return all(chunks, i -> {
                    int from = inSlot + i * room;
                    byte[] chunk = Arrays.copyOfRange(record, from, Math.min(from + room, record.length));
                    return client.add(chunkTag(), place.firstChunk() + i, chunk);
                })
                .thenCompose(nothing -> last.apply(bytes))
                .thenApply(nothing -> place)
                .exceptionallyCompose(failure -> freeChunks(place)
                        .handle((nothing, ignored) -> null)
                        .thenCompose(nothing -> CompletableFuture.failedFuture(failure)));
    }

    /** Frees a channel's slot and its chunks; in the next session, if this one is lost. */
    CompletableFuture<Void> remove(Place place) {
        CompletableFuture<Void> removed = client.delete(place.tag(), place.index());
        CompletableFuture<Void> all = place.chunks() == 0 ? removed : removed.thenCompose(nothing -> freeChunks(place));
        return all.whenComplete((nothing, failure) -> {
            if (isLoss(failure)) {
                notFreed.add(place);
            }
        });
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

    CompletableFuture<Void> freeChunks(Place place) {
        return all(place.chunks(), i -> client.delete(chunkTag(), place.firstChunk() + i));
    }

    /** Frees a slot, whatever it holds. */
    public CompletableFuture<Void> discard(SlotKey slot) {
        return client.delete(slot.tag(), slot.index());
    }

    private Place place(Entry entry, ByteBuf header) {
        return new Place(entry.tag(), entry.index(), header.getInt(4), header.getInt(0), session.get());
    }

    /**
     * Puts the record of an entry together. Leaves the entry's descriptor alone.
     *
     * @return a future that fails with an {@link UnreadableRecordException} if the slot holds no record that this version
     *     can read, which says nothing about other versions: the slot must stay; with another one if the escrow could
     *     not be asked
     */
    public CompletableFuture<ChannelRecord> read(Entry entry) {
        try {
            Place place = place(entry, header(entry));
            byte[] payload = entry.payload();
            ByteBuf record = Unpooled.wrappedBuffer(payload, HEADER_LENGTH, payload.length - HEADER_LENGTH);
            if (place.chunks() == 0) {
                return CompletableFuture.completedFuture(ChannelRecord.decode(record));
            }
            ByteBuf whole = Unpooled.buffer().writeBytes(record);
            // Answers come in order, so the chunks are appended in order.
            return all(place.chunks(), i -> append(place.firstChunk() + i, whole))
                    .thenCompose(nothing -> decode(whole));
        } catch (UnreadableRecordException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private static CompletableFuture<ChannelRecord> decode(ByteBuf record) {
        try {
            return CompletableFuture.completedFuture(ChannelRecord.decode(record));
        } catch (UnreadableRecordException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    /** Fetches a chunk, and appends it to the record. */
    private CompletableFuture<Void> append(int index, ByteBuf record) {
        return client.get(chunkTag(), index)
                .exceptionallyCompose(failure -> CompletableFuture.failedFuture(
                        Futures.unwrap(failure) instanceof EscrowException refused && refused.status() == Status.ENOENT
                                ? UnreadableRecordException.notARecord(
                                        "slot " + chunkTag() + "/" + index
                                                + " is empty (expected: the rest of a channel's record)",
                                        refused)
                                : failure))
                .thenCompose(chunk -> append(chunk, record));
    }

    private static CompletableFuture<Void> append(Entry chunk, ByteBuf record) {
        try (chunk) {
            if (chunk.hasDescriptor()) {
                return CompletableFuture.failedFuture(UnreadableRecordException.notARecord("slot " + chunk.tag() + "/"
                        + chunk.index() + " holds a descriptor (expected: the rest of a channel's record)"));
            }
            record.writeBytes(chunk.payload());
            return CompletableFuture.completedFuture(null);
        }
    }

    private static ByteBuf header(Entry entry) throws UnreadableRecordException {
        ByteBuf payload = Unpooled.wrappedBuffer(entry.payload());
        if (!isHeader(payload)) {
            throw UnreadableRecordException.notARecord("slot " + entry.tag() + "/" + entry.index()
                    + " holds no channel: its payload of " + entry.payload().length
                    + " bytes does not begin as one does");
        }
        return payload;
    }

    /** Returns whether a payload begins with what comes before a record. */
    private static boolean isHeader(ByteBuf payload) {
        return payload.readableBytes() >= HEADER_LENGTH && isHeader(payload.getInt(0), payload.getInt(4));
    }

    /** Returns whether these numbers may come before a record. */
    static boolean isHeader(int chunks, int first) {
        return chunks == 0 ? first == 0 : chunks > 0 && chunks <= MAX_CHUNKS && first >= 0;
    }

    private static CompletableFuture<Void> all(int count, IntFunction<CompletableFuture<Void>> request) {
        CompletableFuture<?>[] all = new CompletableFuture<?>[count];
        for (int i = 0; i < count; i++) {
            all[i] = request.apply(i);
        }
        return CompletableFuture.allOf(all);
    }
}
