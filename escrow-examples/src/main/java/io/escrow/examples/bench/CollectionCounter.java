package io.escrow.examples.bench;

import com.sun.management.GarbageCollectionNotificationInfo;
import com.sun.management.GcInfo;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import javax.management.Notification;
import javax.management.NotificationEmitter;
import javax.management.openmbean.CompositeData;

/** Counts the garbage collections of this process, for the benchmark that reads what it prints. */
final class CollectionCounter {

    private final List<GcInfo> collections = new CopyOnWriteArrayList<>();

    /** Counts from now on. */
    CollectionCounter() {
        for (GarbageCollectorMXBean collector : ManagementFactory.getGarbageCollectorMXBeans()) {
            ((NotificationEmitter) collector)
                    .addNotificationListener((notification, handback) -> add(notification), null, null);
        }
    }

    private void add(Notification notification) {
        if (notification.getType().equals(GarbageCollectionNotificationInfo.GARBAGE_COLLECTION_NOTIFICATION)) {
            collections.add(GarbageCollectionNotificationInfo.from((CompositeData) notification.getUserData())
                    .getGcInfo());
        }
    }

    /** Describes the collections that have ended in the time up to now: the time that they took together, and what collects. */
    String within(Duration time) {
        // Both count from when Java began.
        long since = ManagementFactory.getRuntimeMXBean().getUptime() - time.toMillis();
        List<Long> millis = collections.stream()
                .filter(collection -> collection.getEndTime() >= since)
                .map(GcInfo::getDuration)
                .toList();
        String collectors = ManagementFactory.getGarbageCollectorMXBeans().stream()
                .map(GarbageCollectorMXBean::getName)
                .collect(Collectors.joining(", "));
        return millis.size() + " collections in "
                + millis.stream().mapToLong(each -> each).sum() + " ms, the longest in "
                + millis.stream().mapToLong(each -> each).max().orElse(0) + " ms, by " + collectors;
    }
}
