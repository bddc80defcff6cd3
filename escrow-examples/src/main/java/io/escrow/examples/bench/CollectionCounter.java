package io.escrow.examples.bench;

import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.util.stream.Collectors;

/** Counts the garbage collections of this process, for the benchmark that reads what it prints. */
final class CollectionCounter {

    private long before;
    private long millisBefore;

    /** Begins anew. */
    void begin() {
        before = count();
        millisBefore = millis();
    }

    private static long count() {
        return ManagementFactory.getGarbageCollectorMXBeans().stream()
                .mapToLong(GarbageCollectorMXBean::getCollectionCount)
                .sum();
    }

    private static long millis() {
        return ManagementFactory.getGarbageCollectorMXBeans().stream()
                .mapToLong(GarbageCollectorMXBean::getCollectionTime)
                .sum();
    }

    /** Returns the collections since the beginning, the time that they took together, and what collects. */
    @Override
    public String toString() {
        String collectors = ManagementFactory.getGarbageCollectorMXBeans().stream()
                .map(GarbageCollectorMXBean::getName)
                .collect(Collectors.joining(", "));
        return (count() - before) + " collections in " + (millis() - millisBefore) + " ms by " + collectors;
    }
}
