package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.InheritedSocket;
import io.escrow.InheritedSockets;
import io.escrow.Status;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Predicate;
import org.slf4j.Logger;

/** Finds the listeners of a server among the sockets that its process was started with. Used by the thread of the start. */
final class InheritedListeners {

    private final InheritedSockets sockets;
    private final boolean skipChangedAddress;
    private final Logger logger;
    /** The names of the listeners that have a socket, by its number. */
    private final Map<Integer, String> given = new HashMap<>();

    /**
     * Finds them among some sockets.
     *
     * @param skipChangedAddress whether a socket that has a listener's name and another address is left, and no error
     */
    InheritedListeners(InheritedSockets sockets, boolean skipChangedAddress, Logger logger) {
        this.sockets = sockets;
        this.skipChangedAddress = skipChangedAddress;
        this.logger = logger;
    }

    /**
     * Finds the socket of a listener.
     *
     * @return a duplicate of its descriptor, which the caller owns; empty if there is none
     * @throws EscrowException if the one with its name is something else than the listener
     */
    OptionalInt descriptorFor(Listener listener) throws EscrowException {
        ListenerConfiguration configuration = listener.configuration();
        Optional<InheritedSocket> socket = byName(configuration);
        if (socket.isEmpty()) {
            socket = find(s -> configuration.isKnownByAddress() && isSame(configuration, s));
        }
        if (socket.isEmpty()) {
            return OptionalInt.empty();
        }
        // A duplicate, so that the socket is still there when the start fails.
        int duplicate = sockets.duplicate(socket.get().number());
        given.put(socket.get().number(), listener.name());
        logger.info("listener {} is {}", listener.name(), socket.get());
        return OptionalInt.of(duplicate);
    }

    private Optional<InheritedSocket> byName(ListenerConfiguration configuration) throws EscrowException {
        Optional<InheritedSocket> named = find(s ->
                s.name().equals(configuration.name()) || configuration.name().startsWith(s.name() + "#"));
        if (named.isEmpty() || isSame(configuration, named.get())) {
            return named;
        }
        InheritedSocket socket = named.get();
        if (socket.kind() == configuration.kind() && skipChangedAddress) {
            return Optional.empty();
        }
        throw new EscrowException(
                Status.EINVAL,
                "listener " + configuration.name() + ": " + socket + " has its name, but not its kind (expected: "
                        + configuration.kind() + ") or address (" + configuration.comparedWith(socket.address())
                        + "): change the unit of the socket, or the server");
    }

    private static boolean isSame(ListenerConfiguration configuration, InheritedSocket socket) {
        return socket.kind() == configuration.kind() && configuration.isAskedFor(socket.address());
    }

    private Optional<InheritedSocket> find(Predicate<InheritedSocket> wanted) {
        return sockets.left().stream()
                .filter(socket -> !given.containsKey(socket.number()))
                .filter(wanted)
                .findFirst();
    }

    /** Returns how many listeners that share a listener's name have got a socket. */
    long givenToGroup(Listener listener) {
        String group = listener.name().replaceFirst("#\\d+$", "#");
        return given.values().stream()
                .filter(name -> group.endsWith("#") && name.startsWith(group))
                .count();
    }

    /**
     * Closes all sockets: listeners have duplicates of theirs, and the others are in the escrow already, or not needed.
     * Called when the start can't fail any more.
     */
    void close() {
        sockets.closeRest().stream()
                .filter(socket -> !given.containsKey(socket.number()))
                .forEach(closed -> logger.info("closed, as no listener needs it: {}", closed));
    }
}
