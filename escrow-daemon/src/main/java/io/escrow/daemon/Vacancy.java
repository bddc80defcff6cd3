package io.escrow.daemon;

import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The time in which no session is on. When it has lasted too long, nobody will claim the slots any more, and they are
 * closed, with a farewell to each peer. Used on the daemon's event loop only.
 */
final class Vacancy {

    private static final Logger logger = LoggerFactory.getLogger(Vacancy.class);

    private final Store store;
    private final UnclaimedOptions options;
    private final int maxFarewell;
    private final EventLoop loop;
    private final Executor background;
    private Future<?> timeout;
    private int count;

    /**
     * Makes one that has not begun.
     *
     * @param maxFarewell the length of the longest farewell
     * @param background carries out what would keep the event loop busy too long
     */
    Vacancy(Store store, UnclaimedOptions options, int maxFarewell, EventLoop loop, Executor background) {
        this.store = store;
        this.options = options;
        this.maxFarewell = maxFarewell;
        this.loop = loop;
        this.background = background;
    }

    /** Begins: no session is on. */
    void begin() {
        count++;
        if (!options.timeout().isZero()) {
            timeout = loop.schedule(this::timeOut, options.timeout().toNanos(), TimeUnit.NANOSECONDS);
        }
    }

    /** Ends: a session is on. */
    void end() {
        count++;
        if (timeout != null) {
            timeout.cancel(false);
            timeout = null;
        }
    }

    private void timeOut() {
        if (store.slots() == 0) {
            return;
        }
        int begun = count;
        background.execute(() -> {
            Set<String> others = OpenSockets.ofOtherProcesses();
            try {
                loop.execute(() -> {
                    if (begun == count) {
                        closeSlots(others);
                    }
                });
            } catch (RejectedExecutionException e) {
                logger.debug("the daemon was closed before its unclaimed slots", e);
            }
        });
    }

    /** Closes everything in one go, so that no session ever finds a part of it. */
    private void closeSlots(Set<String> others) {
        int slots = store.slots();
        Parting parting = new Parting(maxFarewell, others);
        store.clear(parting::from);
        logger.warn(
                "nobody had a session for {} s: slots closed: {}; connections ended with a farewell: {}, without: {};"
                        + " left to other processes that have them open: {}",
                options.timeout().toSeconds(),
                slots,
                parting.told(),
                parting.untold(),
                parting.left());
    }
}
