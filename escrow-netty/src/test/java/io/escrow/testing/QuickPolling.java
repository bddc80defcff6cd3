package io.escrow.testing;

import java.time.Duration;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.extension.Extension;

/**
 * Lets tests look at once, and then often, whether what they wait for is there: Awaitility would look after 100 ms first. It would
 * give up after 10 seconds, which one process of several on a busy processor may need.
 *
 * <p>JUnit finds it through {@code META-INF/services}, as {@link LeakGate}.
 */
public final class QuickPolling implements Extension {

    /** Sets the defaults of every later wait; called by JUnit. */
    public QuickPolling() {
        Awaitility.setDefaultPollDelay(Duration.ZERO);
        Awaitility.setDefaultPollInterval(Duration.ofMillis(10));
        Awaitility.setDefaultTimeout(Duration.ofSeconds(30));
    }
}
