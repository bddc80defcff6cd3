package io.escrow.examples.mqtt;

import io.escrow.Entry;
import io.escrow.client.DaemonLaunch;
import io.escrow.client.EscrowClient;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Keeps what belongs to no connection in an escrow of its own: slots with a payload and no descriptor. As only one process
 * has its session, the next one reads it when this one has given up everything else, or is dead.
 */
final class StateStore {

    /** Messages that a later subscriber gets, too. */
    static final int RETAINED = 0;

    /** Sessions of clients that are away. */
    static final int SESSIONS = 1;

    /** Messages for clients that are away: the client, then the message. */
    static final int QUEUED = 2;

    private static final int TAGS = 3;

    private final EscrowClient client;
    private final int[] ends = new int[TAGS];
    private CompletableFuture<Void> stored = CompletableFuture.completedFuture(null);

    private StateStore(EscrowClient client) {
        this.client = client;
    }

    /** Waits until no other process has the state. */
    static CompletableFuture<StateStore> open(String path) {
        return EscrowClient.builder()
                .path(path)
                .launch(DaemonLaunch.onDemand().replaceDeadSocket(true))
                .awaitTurn()
                .thenApply(StateStore::new);
    }

    /** Reads all slots of a tag, in the order in which they were filled. */
    CompletableFuture<List<Entry>> load(int tag) {
        List<Entry> entries = new ArrayList<>();
        return client.tag(tag).thenCompose(info -> {
            ends[tag] = (int) info.end();
            return client.getAll(tag, entries::add).thenApply(result -> entries);
        });
    }

    /** Fills a slot; returns its index. */
    int add(int tag, byte[] payload) {
        int index = ends[tag]++;
        stored = client.add(tag, index, payload);
        report(stored);
        return index;
    }

    /** Returns when all slots that were filled until now are stored: answers come in order. */
    CompletableFuture<Void> stored() {
        return stored;
    }

    void remove(int tag, int index) {
        report(client.delete(tag, index));
    }

    private static void report(CompletableFuture<Void> done) {
        done.exceptionally(failure -> {
            System.err.println("The state is not stored: " + failure.getMessage());
            return null;
        });
    }

    /** Gives the state up when everything is stored. */
    CompletableFuture<Void> close() {
        return client.tag(QUEUED).handle((info, failure) -> {
            client.close();
            return null;
        });
    }
}
