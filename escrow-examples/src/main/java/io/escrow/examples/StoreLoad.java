package io.escrow.examples;

import io.escrow.BulkResult;
import io.escrow.Deposit;
import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.SlotKey;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.stream.IntStream;

/** Fills, fetches and empties the same slots in several ways. */
final class StoreLoad {

    /** What is done with each slot. */
    enum Operation {
        ADD,
        GET,
        DELETE
    }

    /** How the requests are made. */
    enum Way {
        BULK("bulk call"),
        NOT_WAITED("one call each, not waited for"),
        CHAINED("one at a time, on the event loop"),
        BLOCKING("one at a time, blocking view");

        final String text;

        Way(String text) {
            this.text = text;
        }
    }

    private final EscrowClient client;
    private final BlockingEscrow blocking;
    private final int tag;
    private final List<FileDescriptor> descriptors;
    private final byte[] payload;

    StoreLoad(EscrowClient client, Duration timeout, int tag, List<FileDescriptor> descriptors, byte[] payload) {
        this.client = client;
        this.blocking = client.toBlocking(timeout);
        this.tag = tag;
        this.descriptors = descriptors;
        this.payload = payload;
    }

    /** Opens as many sockets as there are to be slots; the caller closes them, also when it can't open all. */
    static void openSockets(List<FileDescriptor> descriptors, int slots) throws IOException {
        try {
            while (descriptors.size() < slots) {
                descriptors.add(Socket.newSocketStream());
            }
        } catch (RuntimeException e) {
            throw new IOException(
                    "only " + descriptors.size() + " of " + slots + " sockets could be opened (see ulimit -n): "
                            + e.getMessage(),
                    e);
        }
    }

    int slots() {
        return descriptors.size();
    }

    /** Does an operation with all slots, and returns when it is done. */
    void run(Way way, Operation operation) throws EscrowException, InterruptedException, ExecutionException {
        switch (way) {
            case BULK -> bulk(operation).get().orThrow();
            case NOT_WAITED ->
                CompletableFuture.allOf(indices()
                                .mapToObj(index -> request(operation, index))
                                .toArray(CompletableFuture[]::new))
                        .get();
            case CHAINED -> {
                CompletableFuture<Void> done = new CompletableFuture<>();
                chain(operation, 0, done);
                done.get();
            }
            case BLOCKING -> {
                for (int index = 0; index < slots(); index++) {
                    block(operation, index);
                }
            }
        }
    }

    private CompletableFuture<BulkResult> bulk(Operation operation) {
        return switch (operation) {
            case ADD ->
                client.addAll(indices()
                        .mapToObj(index -> new Deposit(tag, index, descriptors.get(index), payload))
                        .iterator());
            case GET -> client.getAll(keys(slots()), Entry::close);
            case DELETE -> client.deleteAll(keys(slots()));
        };
    }

    /** Makes a number of keys, over and over the same slots. */
    Iterator<SlotKey> keys(int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> new SlotKey(tag, i % slots()))
                .iterator();
    }

    CompletableFuture<Void> request(Operation operation, int index) {
        return switch (operation) {
            case ADD -> client.add(tag, index, descriptors.get(index), payload);
            case GET -> client.get(tag, index).thenAccept(Entry::close);
            case DELETE -> client.delete(tag, index);
        };
    }

    private void chain(Operation operation, int index, CompletableFuture<Void> done) {
        if (index == slots()) {
            done.complete(null);
            return;
        }
        request(operation, index).whenComplete((result, failure) -> {
            if (failure == null) {
                chain(operation, index + 1, done);
            } else {
                done.completeExceptionally(failure);
            }
        });
    }

    /** Asks for one thing, and waits for it. */
    void block(Operation operation, int index) throws EscrowException {
        switch (operation) {
            case ADD -> blocking.add(tag, index, descriptors.get(index), payload);
            case GET -> blocking.get(tag, index).close();
            case DELETE -> blocking.delete(tag, index);
        }
    }

    private IntStream indices() {
        return IntStream.range(0, slots());
    }
}
