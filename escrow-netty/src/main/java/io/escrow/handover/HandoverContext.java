package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.escrow.handover.connection.CrashMarks;
import io.escrow.handover.seal.RecordSeal;
import io.escrow.handover.store.EscrowTable;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.EventExecutor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Holds what the parts of a running server share. Immutable; the parts may be used by any thread.
 *
 * @param configuration the settings
 * @param session the session with the escrow
 * @param connections the connections of this process
 * @param listeners the listeners and datagram sockets, in the order in which they were described
 * @param crashStore what is in the escrow for the case of a crash
 * @param tickets the keys of session tickets, if they are shared
 */
record HandoverContext(
        HandoverConfiguration configuration,
        EscrowSession session,
        Connections connections,
        List<Listener> listeners,
        CrashStore crashStore,
        ServerTickets tickets) {

    /**
     * Makes the parts of a server that has no session, no connection and no open listener yet.
     *
     * @throws EscrowException if the file for the marks of a crash-safe server can't be made
     */
    static HandoverContext of(HandoverConfiguration configuration) throws EscrowException {
        List<Listener> listeners =
                configuration.listeners().stream().map(Listener::new).toList();
        EscrowTable table = new EscrowTable(configuration.firstTag());
        Connections connections = new Connections(configuration, table, marks(configuration));
        ServerTickets tickets = new ServerTickets(configuration, table);
        CrashStore crashStore = new CrashStore(listeners, connections, table, tickets);
        return new HandoverContext(
                configuration,
                new EscrowSession(configuration, table, crashStore),
                connections,
                listeners,
                crashStore,
                tickets);
    }

    private static CrashMarks marks(HandoverConfiguration configuration) throws EscrowException {
        Path directory = configuration.marksDirectory();
        try {
            return configuration.crashSafe() ? CrashMarks.create(directory) : null;
        } catch (IOException e) {
            throw new EscrowException(
                    Status.EIO,
                    "no file for the marks of a crash-safe server can be made in " + directory + ": " + e
                            + "; choose another directory: marksDirectory of the builder",
                    e);
        }
    }

    EscrowTable table() {
        return session.table();
    }

    EscrowClient client() {
        return session.client();
    }

    /** Returns what seals the state of connections. */
    RecordSeal seal() {
        return configuration.rules().seal();
    }

    /** Returns which listener a stored name means. */
    ListenerNames names() {
        return new ListenerNames(listeners, configuration.discarded());
    }

    HandoverObserver observer() {
        return configuration.observer();
    }

    /** Returns the event loops of the listeners and of what they have accepted. */
    Set<EventExecutor> loops() {
        Set<EventExecutor> loops = new HashSet<>(connections.loops());
        for (Listener listener : listeners) {
            EventLoop loop = listener.channel().eventLoop();
            // A framework that has closed its listener may have shut its event loops down, too.
            if (!loop.isShutdown()) {
                loops.add(loop);
            }
        }
        return loops;
    }
}
