package io.escrow.daemon.follow;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.locks.LockSupport;

/**
 * Stops the process at a step of a takeover, so that a test can kill it there: {@code -Descrow.test.step=STEP}. A byte on
 * stdin lets it go on.
 */
public final class Steps {

    private static volatile String stopAt;

    private Steps() {}

    /** Begins to look at the property: not before a rehearsal is over. */
    public static void begin() {
        stopAt = System.getProperty("escrow.test.step");
    }

    /** Goes on, unless a test wants the process to stop here. */
    public static void reached(String step) {
        if (step.equals(stopAt)) {
            stopAt = null;
            System.err.println("stopped at " + step);
            try {
                while (System.in.read() < 0) {
                    LockSupport.park();
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
