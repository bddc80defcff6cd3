package io.escrow.daemon;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Whether this daemon, which is to end, has handed over. Used on the daemon's event loop, except for {@link #await}. */
final class EndHandover {

    private static final Logger logger = LoggerFactory.getLogger(EndHandover.class);

    private final CompletableFuture<Boolean> done = new CompletableFuture<>();
    private boolean begun;

    /** Notes that the daemon is to end. */
    void begin() {
        begun = true;
    }

    /** Returns whether the daemon is to end. */
    boolean isBegun() {
        return begun;
    }

    boolean isDone() {
        return done.isDone();
    }

    /** Notes whether another process serves, or will. Does nothing if that is known. */
    void done(boolean handedOver) {
        done.complete(handedOver);
    }

    /** Waits, and returns whether another process serves, or will. */
    boolean await(Duration patience) {
        try {
            return done.get(patience.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException | ExecutionException | TimeoutException e) {
            logger.atWarn().setCause(e).log("not handed over");
            return false;
        }
    }
}
