package io.escrow.handover;

import io.escrow.Entry;
import io.escrow.TagInfo;
import io.escrow.client.EscrowClient;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.unix.FileDescriptor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.IntFunction;

/**
 * Keeps channels in the slots of three tags: listeners, connections, and what is too large for one payload. May be used
 * by any thread.
 *
 * <p>The payload of a channel's slot is {@code chunks i32, first i32}, then its record; when that is longer than a
 * payload may be, it goes on in so many slots of the third tag, from index {@code first} on. Those are stored before the
 * channel's slot and freed after it, so that a channel's slot that is there is complete.
 */
final class EscrowTable {

    /** Addresses a stored channel. */
    record Place(int tag, int index, int firstChunk, int chunks) {}

    private static final int HEADER_LENGTH = 8;

    private final EscrowClient client;
    private final int firstTag;
    private final AtomicInteger nextConnection = new AtomicInteger();
    private final AtomicInteger nextChunk = new AtomicInteger();

    EscrowTable(EscrowClient client, int firstTag) {
        this.client = client;
        this.firstTag = firstTag;
    }

    /** Finds out which indices are free. To be waited for before anything is stored. */
    CompletableFuture<Void> prepare() {
        return client.tag(connectionTag())
                .thenCombine(client.tag(chunkTag()), (TagInfo connections, TagInfo chunks) -> {
                    nextConnection.set((int) connections.end());
                    nextChunk.set((int) chunks.end());
                    return null;
                });
    }

    int listenerTag() {
        return firstTag;
    }

    int connectionTag() {
        return firstTag + 1;
    }

    private int chunkTag() {
        return firstTag + 2;
    }

    int newConnectionIndex() {
        return nextConnection.getAndUpdate(n -> n == Integer.MAX_VALUE ? 0 : n + 1);
    }

    /** Stores a channel; its descriptor stays the caller's, who keeps it open until the future is done. */
    CompletableFuture<Place> put(int tag, int index, FileDescriptor descriptor, SavedChannel channel) {
        return store(tag, index, channel, payload -> client.add(tag, index, descriptor, payload));
    }

    /** Replaces what is known about a channel that is stored already, and frees the chunks that it had. */
    CompletableFuture<Place> update(Place place, SavedChannel channel) {
        return store(place.tag(), place.index(), channel, payload -> client.update(place.tag(), place.index(), payload))
                .thenCompose(updated -> freeChunks(place).thenApply(nothing -> updated));
    }

    private CompletableFuture<Place> store(
            int tag, int index, SavedChannel channel, Function<byte[], CompletableFuture<Void>> last) {
        byte[] record = channel.encode();
        int room = client.maxPayload();
        int inSlot = Math.min(record.length, room - HEADER_LENGTH);
        int chunks = (record.length - inSlot + room - 1) / room;
        int first = chunks == 0 ? 0 : nextChunk.getAndAdd(chunks);
        List<CompletableFuture<Void>> stored = new ArrayList<>(chunks + 1);
        for (int i = 0; i < chunks; i++) {
            int from = inSlot + i * room;
            stored.add(client.add(
                    chunkTag(), first + i, Arrays.copyOfRange(record, from, Math.min(from + room, record.length))));
        }
        ByteBuf payload = Unpooled.buffer(HEADER_LENGTH + inSlot);
        payload.writeInt(chunks).writeInt(first).writeBytes(record, 0, inSlot);
        stored.add(last.apply(ByteBufUtil.getBytes(payload)));
        return CompletableFuture.allOf(stored.toArray(CompletableFuture[]::new))
                .thenApply(nothing -> new Place(tag, index, first, chunks));
    }

    /** Frees a channel's slot and its chunks. */
    CompletableFuture<Void> remove(Place place) {
        return client.delete(place.tag(), place.index()).thenCompose(nothing -> freeChunks(place));
    }

    private CompletableFuture<Void> freeChunks(Place place) {
        return all(place.chunks(), i -> client.delete(chunkTag(), place.firstChunk() + i));
    }

    /** Frees a slot that holds something unreadable. */
    CompletableFuture<Void> discard(Entry entry) {
        return client.delete(entry.tag(), entry.index());
    }

    /** Returns where an entry is stored. */
    static Place place(Entry entry) {
        ByteBuf header = header(entry);
        return new Place(entry.tag(), entry.index(), header.getInt(4), header.getInt(0));
    }

    /**
     * Puts the record of an entry together. Leaves the entry's descriptor alone.
     *
     * @return a future that fails with an {@link IllegalArgumentException} if the slot holds something else
     */
    CompletableFuture<SavedChannel> read(Entry entry) {
        Place place;
        try {
            place = place(entry);
        } catch (IllegalArgumentException e) {
            return CompletableFuture.failedFuture(e);
        }
        byte[] payload = entry.payload();
        ByteBuf record =
                Unpooled.buffer(payload.length).writeBytes(payload, HEADER_LENGTH, payload.length - HEADER_LENGTH);
        // Answers come in order, so the chunks are appended in order.
        return all(
                        place.chunks(),
                        i -> client.get(chunkTag(), place.firstChunk() + i)
                                .thenAccept(chunk -> record.writeBytes(chunk.payload())))
                .thenApply(nothing -> SavedChannel.decode(ByteBufUtil.getBytes(record)));
    }

    private static ByteBuf header(Entry entry) {
        ByteBuf payload = Unpooled.wrappedBuffer(entry.payload());
        if (payload.readableBytes() < HEADER_LENGTH || payload.getInt(0) < 0) {
            throw new IllegalArgumentException("slot " + entry.tag() + "/" + entry.index() + " holds no channel");
        }
        return payload;
    }

    private static CompletableFuture<Void> all(int count, IntFunction<CompletableFuture<Void>> request) {
        CompletableFuture<?>[] all = new CompletableFuture<?>[count];
        for (int i = 0; i < count; i++) {
            all[i] = request.apply(i);
        }
        return CompletableFuture.allOf(all);
    }
}
