package io.escrow.handover;

import java.util.List;
import java.util.Set;

/**
 * Finds the listener that a stored name means in this version of the program. Immutable.
 *
 * <p>Several listeners on one address are named {@code name#0}, {@code name#1} and so on. When there are fewer of them than
 * in the version before, those that are left serve the connections of the others.
 */
final class ListenerNames {

    private final List<Listener> listeners;
    private final Set<String> discarded;

    /** Finds listeners by their names; some other names are given up. */
    ListenerNames(List<Listener> listeners, Set<String> discarded) {
        this.listeners = listeners;
        this.discarded = discarded;
    }

    /** Returns the listener to which a connection belongs; {@code null} if there is none. */
    Listener ofConnection(String name) {
        Listener sibling = null;
        for (Listener listener : listeners) {
            if (!listener.isDatagram()) {
                if (listener.name().equals(name)) {
                    return listener;
                }
                if (sibling == null && areSiblings(listener.name(), name)) {
                    sibling = listener;
                }
            }
        }
        return sibling;
    }

    /** Returns why a listener that this version does not have is given up; {@code null} if it is left. */
    String whyGivenUp(String name) {
        if (isDiscarded(name)) {
            return "it is to be discarded";
        }
        // New connections would go on being dealt out to it, and wait without an answer.
        return listeners.stream().anyMatch(listener -> areSiblings(listener.name(), name))
                ? "this version has fewer of them"
                : null;
    }

    /** Returns whether the server has given up a name, or the name that several listeners share. */
    boolean isDiscarded(String name) {
        String shared = shared(name);
        return discarded.contains(name) || (shared != null && discarded.contains(shared));
    }

    private static boolean areSiblings(String one, String other) {
        String shared = shared(one);
        return shared != null && shared.equals(shared(other));
    }

    /** Returns what is before the number of a name; {@code null} if it has none. */
    private static String shared(String name) {
        int hash = name.lastIndexOf('#');
        boolean numbered = hash > 0
                && hash < name.length() - 1
                && name.chars().skip(hash + 1L).allMatch(c -> c >= '0' && c <= '9');
        return numbered ? name.substring(0, hash) : null;
    }
}
