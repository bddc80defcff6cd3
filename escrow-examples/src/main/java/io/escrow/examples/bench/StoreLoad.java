package io.escrow.examples.bench;

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
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.stream.IntStream;

/** Fills, fetches and empties the same slots in several ways, with a socket in each slot. */
final class StoreLoad implements AutoCloseable {

    private static final int TAG = 0;
    private static final Duration TIMEOUT = Duration.ofMinutes(1);

    /** Enumerates the requests for each slot. */
    enum Operation {
        ADD,
        GET,
        DELETE
    }

    /** How the requests are sent. */
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
    private final List<FileDescriptor> descriptors = new ArrayList<>();
    private final byte[] payload;

    private StoreLoad(EscrowClient client, int payload) {
        this.client = client;
        this.blocking = client.toBlocking(TIMEOUT);
        this.payload = new byte[payload];
    }

    /** Opens the sockets. Closing the load closes them. */
    static StoreLoad open(EscrowClient client, SlotOptions options) throws IOException {
        StoreLoad load = new StoreLoad(client, options.payload());
        try {
            while (load.slots() < options.slots()) {
                load.descriptors.add(Socket.newSocketStream());
            }
            return load;
        } catch (RuntimeException e) {
            int opened = load.slots();
            load.close();
            throw new IOException(
                    "only " + opened + " of " + options.slots() + " sockets could be opened (see ulimit -n): "
                            + e.getMessage(),
                    e);
        }
    }

    @Override
    public void close() throws IOException {
        for (FileDescriptor descriptor : descriptors) {
            descriptor.close();
        }
    }

    int slots() {
        return descriptors.size();
    }

    /** Runs an operation on all slots, and waits until it is done. */
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
                    runBlocking(operation, index);
                }
            }
        }
    }

    private CompletableFuture<BulkResult> bulk(Operation operation) {
        return switch (operation) {
            case ADD ->
                client.addAll(indices()
                        .mapToObj(index -> new Deposit(TAG, index, descriptors.get(index), payload))
                        .iterator());
            case GET -> client.getAll(keys(slots()), Entry::close);
            case DELETE -> client.deleteAll(keys(slots()));
        };
    }

    /** Returns a number of keys, which go through the slots over and over again. */
    Iterator<SlotKey> keys(int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> new SlotKey(TAG, i % slots()))
                .iterator();
    }

    CompletableFuture<Void> request(Operation operation, int index) {
        return switch (operation) {
            case ADD -> client.add(TAG, index, descriptors.get(index), payload);
            case GET -> client.get(TAG, index).thenAccept(Entry::close);
            case DELETE -> client.delete(TAG, index);
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

    /** Runs an operation on one slot, and waits until it is done. */
    void runBlocking(Operation operation, int index) throws EscrowException {
        switch (operation) {
            case ADD -> blocking.add(TAG, index, descriptors.get(index), payload);
            case GET -> blocking.get(TAG, index).close();
            case DELETE -> blocking.delete(TAG, index);
        }
    }

    private IntStream indices() {
        return IntStream.range(0, slots());
    }
}
