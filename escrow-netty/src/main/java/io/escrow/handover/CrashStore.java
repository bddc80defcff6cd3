package io.escrow.handover;

import io.escrow.handover.connection.Connection;
import io.escrow.handover.connection.CrashMarks;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelSlot;
import io.escrow.handover.store.EscrowTable;
import io.escrow.internal.EventLoops;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Stores everything that a server has, as it is to be found after a crash. May be used by any thread. */
final class CrashStore {

    private static final ChannelRecord MARKS =
            ChannelRecord.builder(ChannelRecord.MARKS, false).build();

    private final List<Listener> listeners;
    private final Connections connections;
    private final EscrowTable table;
    private final ServerTickets tickets;
    private ChannelSlot marksSlot;

    CrashStore(List<Listener> listeners, Connections connections, EscrowTable table, ServerTickets tickets) {
        this.listeners = listeners;
        this.tickets = tickets;
        this.connections = connections;
        this.table = table;
    }

    /** Stores the marks of the connections, which must be there before any of those. */
    synchronized CompletableFuture<Void> storeMarks() {
        if (marksSlot == null) {
            marksSlot = table.newListenerSlot();
        }
        return marksSlot.store(connections.marks().descriptor(), MARKS);
    }

    /** Frees the slot of the marks, if there are any: no connection in the escrow needs them. */
    synchronized CompletableFuture<Void> removeMarks() {
        return marksSlot == null ? CompletableFuture.completedFuture(null) : marksSlot.remove();
    }

    /** Lets go of the marks. Connections that are still served may go on setting them. */
    void close() {
        CrashMarks marks = connections.marks();
        if (marks != null) {
            marks.close();
        }
    }

    /** Stores each listener and each connection, behind the marks; what the escrow still holds is replaced. */
    List<CompletableFuture<Void>> storeAll() {
        List<CompletableFuture<Void>> stored = new ArrayList<>();
        listeners.forEach(listener -> stored.add(listener.store(false)));
        if (tickets.isShared()) {
            stored.add(tickets.store());
        }
        for (Connection connection : connections.all()) {
            stored.add(EventLoops.call(connection.channel().eventLoop(), () -> Connections.storeForCrash(connection))
                    .thenCompose(done -> done));
        }
        return stored;
    }
}
