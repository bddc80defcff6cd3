package io.escrow.handover;

import io.escrow.handover.connection.Connection;
import io.escrow.internal.EventLoops;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Stores everything that a server has, as it is to be found after a crash. May be used by any thread. */
final class CrashStore {

    private final List<Listener> listeners;
    private final Connections connections;

    CrashStore(List<Listener> listeners, Connections connections) {
        this.listeners = listeners;
        this.connections = connections;
    }

    /** Stores each listener and each connection; what the escrow still holds is replaced. */
    List<CompletableFuture<Void>> storeAll() {
        List<CompletableFuture<Void>> stored = new ArrayList<>();
        listeners.forEach(listener -> stored.add(listener.store(false)));
        for (Connection connection : connections.all()) {
            stored.add(EventLoops.call(connection.channel().eventLoop(), () -> Connections.storeForCrash(connection))
                    .thenCompose(done -> done));
        }
        return stored;
    }
}
