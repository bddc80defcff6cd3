package io.escrow.testing;

import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.fail;

import io.netty.util.ResourceLeakDetector;
import io.netty.util.ResourceLeakDetectorFactory;
import io.netty.util.ResourceLeakTracker;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Fails a test class that leaks anything which Netty's leak detector tracks: buffers, and our own descriptors.
 *
 * <p>JUnit finds it through {@code META-INF/services}, so that no test needs to name it.
 */
public final class LeakGate implements AfterAllCallback {

    private static final int GC_TIMEOUT_MILLIS = 10_000;
    private static final Queue<Detector<?>> DETECTORS = new ConcurrentLinkedQueue<>();
    private static final Queue<String> LEAKS = new ConcurrentLinkedQueue<>();

    static {
        // Before any class of Netty that tracks something asks for a detector.
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.PARANOID);
        ResourceLeakDetectorFactory.setResourceLeakDetectorFactory(new Factory());
    }

    @Override
    public void afterAll(ExtensionContext context) throws InterruptedException {
        List<String> leaks = takeLeaks();
        if (!leaks.isEmpty()) {
            fail("leaks in " + context.getDisplayName() + " or before it: " + leaks.size() + "\n"
                    + String.join("\n", leaks));
        }
    }

    /** Collects the garbage, and returns what was leaked since the last call. */
    static synchronized List<String> takeLeaks() throws InterruptedException {
        collectGarbage();
        collectGarbage();
        DETECTORS.forEach(Detector::report);
        List<String> leaks = new ArrayList<>();
        for (String leak = LEAKS.poll(); leak != null; leak = LEAKS.poll()) {
            leaks.add(leak);
        }
        return leaks;
    }

    /** Returns when a collection has found everything that was garbage before. */
    private static void collectGarbage() throws InterruptedException {
        ReferenceQueue<Object> collected = new ReferenceQueue<>();
        Reference<Object> garbage = new WeakReference<>(new Object(), collected);
        try {
            System.gc();
            assertNotNull(collected.remove(GC_TIMEOUT_MILLIS), "no garbage was collected");
        } finally {
            Reference.reachabilityFence(garbage);
        }
    }

    private static final class Factory extends ResourceLeakDetectorFactory {

        @Override
        @Deprecated
        @SuppressWarnings("InlineMeSuggester") // Netty's method
        public <T> ResourceLeakDetector<T> newResourceLeakDetector(
                Class<T> resource, int samplingInterval, long maxActive) {
            return newResourceLeakDetector(resource, samplingInterval);
        }

        @Override
        public <T> ResourceLeakDetector<T> newResourceLeakDetector(Class<T> resource, int samplingInterval) {
            Detector<T> detector = new Detector<>(resource, samplingInterval);
            DETECTORS.add(detector);
            return detector;
        }
    }

    private static final class Detector<T> extends ResourceLeakDetector<T> {

        Detector(Class<T> resource, int samplingInterval) {
            super(resource, samplingInterval);
        }

        /** Tracks something, since a detector reports when it does. */
        @SuppressWarnings("unchecked") // only its identity counts
        void report() {
            T nothing = (T) new Object();
            ResourceLeakTracker<T> tracker = track(nothing);
            tracker.close(nothing);
        }

        @Override
        protected boolean needReport() {
            return true;
        }

        @Override
        protected void reportTracedLeak(String resourceType, String records) {
            LEAKS.add(resourceType + records);
        }

        @Override
        protected void reportUntracedLeak(String resourceType) {
            LEAKS.add(resourceType);
        }
    }
}
