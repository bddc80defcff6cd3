package io.escrow.handover.store;

import io.escrow.BulkResult;
import io.escrow.Entry;
import io.escrow.SlotInfo;
import io.escrow.SlotKey;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Finds the chunks that no slot refers to: a process has died between two steps of storing a record (RECORDS.md,
 * "Order"). May be used by any thread.
 */
public final class UnreferencedChunks {

    private final EscrowTable table;
    private final Set<Integer> chunks = new TreeSet<>();

    private UnreferencedChunks(EscrowTable table) {
        this.table = table;
    }

    /** Finds all chunks that there are; nothing of this process must be stored yet. */
    public static CompletableFuture<UnreferencedChunks> find(EscrowTable table) {
        UnreferencedChunks found = new UnreferencedChunks(table);
        int tag = table.chunkTag();
        return table.client()
                .tag(tag)
                .thenCompose(info -> info.used() == 0
                        ? CompletableFuture.completedFuture(found)
                        : table.client().list(tag).thenApply(found::with));
    }

    private synchronized UnreferencedChunks with(Iterable<SlotInfo> slots) {
        slots.forEach(slot -> chunks.add(slot.index()));
        return this;
    }

    /** Fetches all slots of a tag, and keeps the chunks that they refer to. */
    public CompletableFuture<BulkResult> getAll(int tag, Consumer<Entry> sink) {
        return table.client()
                .getAll(tag, entry -> {
                    keep(entry);
                    sink.accept(entry);
                })
                .whenComplete((fetched, failure) -> {
                    if (failure != null || !fetched.failures().isEmpty()) {
                        keepAll();
                    }
                });
    }

    /** Keeps what a slot of a listener or a connection refers to, whether or not its record can be read. */
    private synchronized void keep(Entry entry) {
        byte[] payload = entry.payload();
        if (!RecordReader.isHeader(payload)) {
            // It may be of a version that refers to chunks in another way.
            keepAll();
            return;
        }
        long first = RecordReader.firstChunk(payload);
        long end = first + RecordReader.chunks(payload);
        if (end > first && !chunks.isEmpty()) {
            chunks.removeIf(index -> index >= first && index < end);
        }
    }

    /** Keeps all: it is not known what some slot refers to. */
    private synchronized void keepAll() {
        chunks.clear();
    }

    /**
     * Frees the chunks that no slot refers to.
     *
     * @return a future of how many those are
     */
    public synchronized CompletableFuture<Integer> free() {
        return table.client()
                .deleteAll(chunks.stream()
                        .map(index -> new SlotKey(table.chunkTag(), index))
                        .toList()
                        .iterator())
                .thenApply(result -> result.succeeded());
    }
}
