package io.escrow.handover.store;

import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.escrow.internal.Futures;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.concurrent.CompletableFuture;
import java.util.function.IntFunction;

/** Puts records together that are stored in several slots (RECORDS.md, "Slots"). */
final class RecordReader {

    private final EscrowClient client;
    private final int chunkTag;

    RecordReader(EscrowClient client, int chunkTag) {
        this.client = client;
        this.chunkTag = chunkTag;
    }

    /** Reads the record of an entry; see {@link EscrowTable#read}. */
    CompletableFuture<ChannelRecord> read(Entry entry) {
        ByteBuf payload = Unpooled.wrappedBuffer(entry.payload());
        if (!isHeader(entry.payload())) {
            return CompletableFuture.failedFuture(
                    UnreadableRecordException.notARecord("slot " + entry.tag() + "/" + entry.index()
                            + " holds no channel: its payload of " + payload.readableBytes()
                            + " bytes does not begin as one does"));
        }
        int chunks = payload.readInt();
        int first = payload.readInt();
        if (chunks == 0) {
            return decode(payload);
        }
        ByteBuf whole = Unpooled.buffer().writeBytes(payload);
        // Answers come in order, so the chunks are appended in order.
        return all(chunks, i -> append(first + i, whole)).thenCompose(nothing -> decode(whole));
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
        return client.get(chunkTag, index)
                .exceptionallyCompose(failure -> CompletableFuture.failedFuture(
                        Futures.unwrap(failure) instanceof EscrowException refused && refused.status() == Status.ENOENT
                                ? UnreadableRecordException.notARecord(
                                        "slot " + chunkTag + "/" + index
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

    /** Returns whether a payload begins with what comes before a record. */
    static boolean isHeader(byte[] payload) {
        return payload.length >= EscrowTable.HEADER_LENGTH && isHeader(chunks(payload), firstChunk(payload));
    }

    /** Returns in how many chunks a record goes on whose payload begins as one does. */
    static int chunks(byte[] payload) {
        return intAt(payload, 0);
    }

    /** Returns the index of the first chunk of a record whose payload begins as one does. */
    static int firstChunk(byte[] payload) {
        return intAt(payload, Integer.BYTES);
    }

    private static int intAt(byte[] bytes, int index) {
        int value = 0;
        for (int i = index; i < index + Integer.BYTES; i++) {
            value = value << Byte.SIZE | Byte.toUnsignedInt(bytes[i]);
        }
        return value;
    }

    /** Returns whether these numbers may come before a record. */
    static boolean isHeader(int chunks, int first) {
        return chunks == 0 ? first == 0 : chunks > 0 && chunks <= EscrowTable.MAX_CHUNKS && first >= 0;
    }

    /** Makes as many requests, and waits for all of them. */
    static CompletableFuture<Void> all(int count, IntFunction<CompletableFuture<Void>> request) {
        CompletableFuture<?>[] all = new CompletableFuture<?>[count];
        for (int i = 0; i < count; i++) {
            all[i] = request.apply(i);
        }
        return CompletableFuture.allOf(all);
    }
}
