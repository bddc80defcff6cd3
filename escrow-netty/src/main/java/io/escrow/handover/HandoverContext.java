package io.escrow.handover;

import io.escrow.client.EscrowClient;
import io.escrow.handover.seal.RecordSeal;
import io.escrow.handover.store.EscrowTable;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.EventExecutor;
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
 */
record HandoverContext(
        HandoverConfiguration configuration, EscrowSession session, Connections connections, List<Listener> listeners) {

    /** Makes the parts of a server that has no session, no connection and no open listener yet. */
    static HandoverContext of(HandoverConfiguration configuration) {
        List<Listener> listeners =
                configuration.listeners().stream().map(Listener::new).toList();
        EscrowTable table = new EscrowTable(configuration.firstTag());
        Connections connections = new Connections(configuration, table);
        return new HandoverContext(
                configuration,
                new EscrowSession(configuration, table, new CrashStore(listeners, connections)),
                connections,
                listeners);
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
