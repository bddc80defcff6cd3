package io.escrow.handover;

import static java.util.Objects.requireNonNull;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Collects the listeners of a server, and what is said about listeners by name. Used by one thread at a time. */
final class ListenerDescriptions {

    private final List<ListenerConfiguration> all = new ArrayList<>();
    private final Map<String, byte[]> farewells = new HashMap<>();
    private final Set<String> discarded = new HashSet<>();

    /**
     * Adds a listener.
     *
     * @throws IllegalArgumentException if its name is taken
     */
    void add(ListenerConfiguration listener) {
        if (all.stream().anyMatch(other -> other.name().equals(listener.name()))) {
            throw new IllegalArgumentException(
                    "name of a listener: " + listener.name() + " is taken (expected: a name of its own)");
        }
        all.add(listener);
    }

    /** Returns the listeners, in their order. */
    List<ListenerConfiguration> all() {
        return List.copyOf(all);
    }

    /**
     * Chooses the farewell of a listener, or of several that share a name.
     *
     * @throws IllegalArgumentException if there is none of that name
     */
    void farewell(String listener, byte[] bytes) {
        List<String> names = all.stream()
                .map(ListenerConfiguration::name)
                .filter(name -> name.equals(listener) || name.startsWith(listener + "#"))
                .toList();
        if (names.isEmpty()) {
            throw new IllegalArgumentException("no listener named " + listener + ": add it before its farewell");
        }
        names.forEach(name -> farewells.put(name, bytes.clone()));
    }

    Map<String, byte[]> farewells() {
        return Map.copyOf(farewells);
    }

    /**
     * Gives up a listener that a version before has had.
     *
     * @throws IllegalArgumentException if there is one of that name
     */
    void discard(String name) {
        requireNonNull(name, "name");
        checkNotServed(name);
        discarded.add(name);
    }

    private void checkNotServed(String name) {
        if (all.stream()
                .anyMatch(listener ->
                        listener.name().equals(name) || listener.name().startsWith(name + "#"))) {
            throw new IllegalArgumentException("listener to discard: " + name
                    + " is a listener of this server (expected: the name of one that an earlier version had)");
        }
    }

    Set<String> discarded() {
        return Set.copyOf(discarded);
    }

    /**
     * Returns a copy whose bootstraps do not change any more.
     *
     * @throws IllegalArgumentException if a bootstrap lacks something, or a listener is to be discarded that is here
     */
    ListenerDescriptions frozen() {
        discarded.forEach(this::checkNotServed);
        ListenerDescriptions copy = new ListenerDescriptions();
        all.forEach(listener -> copy.all.add(listener.frozen()));
        copy.farewells.putAll(farewells);
        copy.discarded.addAll(discarded);
        return copy;
    }
}
