package io.escrow.internal;

import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;

/** Holds what was found of many items, without a table to look it up in. Filled by one thread, and then read by others. */
public final class Results<K, T> {

    private final List<K> items = new ArrayList<>();
    private final List<T> values = new ArrayList<>();

    /** Holds nothing yet. */
    Results() {}

    void add(K item, T value) {
        items.add(item);
        values.add(value);
    }

    Results<K, T> and(Results<K, T> others) {
        if (items.isEmpty()) {
            return others;
        }
        items.addAll(others.items);
        values.addAll(others.values);
        return this;
    }

    /** Does something with each item and its result. */
    public void forEach(BiConsumer<? super K, ? super T> action) {
        for (int i = 0; i < items.size(); i++) {
            action.accept(items.get(i), values.get(i));
        }
    }

    /** Returns how many there are. */
    public int size() {
        return items.size();
    }

    /** Returns an item; the first one is 0. */
    public K item(int i) {
        return items.get(i);
    }

    /** Returns the result of an item. */
    public T value(int i) {
        return values.get(i);
    }

    /** Returns the results, in the order of {@link #forEach}. */
    public List<T> values() {
        return values;
    }
}
