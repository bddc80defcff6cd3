package io.escrow.daemon.store;

import io.escrow.EscrowException;
import io.escrow.SlotInfo;
import io.escrow.codec.Frame;
import io.escrow.daemon.config.UnclaimedOptions;
import io.escrow.daemon.events.EventLog;
import io.escrow.daemon.events.FailureDetector;
import io.escrow.daemon.events.Statistics;
import io.escrow.daemon.kernel.HangupDetector;
import io.escrow.daemon.kernel.ProcDescriptors;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks after the slots while there is no session: frees slots whose peer has gone, and closes all slots after a
 * timeout, with a farewell to each peer. Used on the daemon's event loop only.
 */
public final class UnclaimedSlots {

    private static final Logger logger = LoggerFactory.getLogger(UnclaimedSlots.class);

    private final Store store;
    private final UnclaimedOptions options;
    private final int maxFarewell;
    private final EventLoop loop;
    private final Executor background;
    private final HangupDetector hangups;
    private final EventLog eventLog;
    private final FailureDetector failures;
    private Future<?> timeout;
    private Future<?> reaping;
    private int count;
    private long sinceNanos;
    private boolean followed;
    private int standby;

    /**
     * Creates an object that is not started.
     *
     * @param maxFarewell the length of the longest farewell
     * @param background runs tasks that would block the event loop for too long
     */
    public UnclaimedSlots(
            Store store,
            UnclaimedOptions options,
            int maxFarewell,
            EventLoop loop,
            Executor background,
            HangupDetector hangups,
            EventLog eventLog,
            FailureDetector failures) {
        this.store = store;
        this.options = options;
        this.maxFarewell = maxFarewell;
        this.loop = loop;
        this.background = background;
        this.hangups = hangups;
        this.eventLog = eventLog;
        this.failures = failures;
    }

    /** Starts the timers. Called when there is no session. */
    public void start() {
        start(Duration.ZERO);
    }

    /**
     * Starts the timers in the middle of a time without a session.
     *
     * @param passed how much of it has passed
     */
    public void start(Duration passed) {
        count++;
        sinceNanos = System.nanoTime() - passed.toNanos();
        if (!options.timeout().isZero()) {
            Duration left = options.timeout().minus(passed);
            timeout = loop.schedule(failures.guard(this::timeOut), Math.max(0, left.toNanos()), TimeUnit.NANOSECONDS);
        }
        if (!options.reapInterval().isZero()) {
            long interval = options.reapInterval().toNanos();
            reaping = loop.scheduleWithFixedDelay(
                    failures.guard(() -> new Sweep().run()), interval, interval, TimeUnit.NANOSECONDS);
        }
    }

    /** Returns for how long there has been no session, when there is none. */
    public Duration passed() {
        return Duration.ofNanos(System.nanoTime() - sinceNanos);
    }

    /** Stops the timers. Called when a session begins, and when another daemon is about to take over. */
    public void stop() {
        count++;
        if (timeout != null) {
            timeout.cancel(false);
        }
        if (reaping != null) {
            reaping.cancel(false);
        }
    }

    /** Sets whether the timeout has to wait: another process that has everything open is no server. */
    public void followed(boolean follows) {
        followed = follows;
    }

    /** Sets the number of the process that has everything open because it stands by, and is no server; 0 for none. */
    public void standby(int pid) {
        standby = pid;
    }

    private void timeOut() {
        if (store.slots() == 0) {
            return;
        }
        if (followed) {
            timeout = loop.schedule(failures.guard(this::timeOut), 1, TimeUnit.SECONDS);
            return;
        }
        int begun = count;
        int except = standby;
        background.execute(failures.guard(() -> {
            Set<String> others = ProcDescriptors.shared(except);
            try {
                loop.execute(failures.guard(() -> {
                    if (begun == count) {
                        closeSlots(others);
                    }
                }));
            } catch (RejectedExecutionException e) {
                logger.atDebug().setCause(e).log("daemon closed before its unclaimed slots");
            }
        }));
    }

    /** Closes all slots in one task, so that no session finds some of them closed. */
    private void closeSlots(Set<String> others) {
        int slots = store.slots();
        FarewellWriter farewells = new FarewellWriter(maxFarewell, others);
        store.clear(farewells::end);
        eventLog.statistics().happened(Statistics.Incident.EXPIRED, slots);
        Map<String, Object> details = new LinkedHashMap<>();
        details.put("seconds", options.timeout().toSeconds());
        details.put("slots", slots);
        details.put("told", farewells.told());
        details.put("untold", farewells.untold());
        details.put("left", farewells.left());
        eventLog.warn("unclaimed slots closed", details);
    }

    /**
     * Checks every slot once and frees those whose peer has gone. Each page is a task of its own, so that the event
     * loop can do other work between pages.
     */
    private final class Sweep implements Runnable {

        private final int begun = count;
        private int tag;
        private int from;
        private int freed;

        @Override
        public void run() {
            try {
                while (begun == count && tag < store.tags()) {
                    List<SlotInfo> page = store.list(tag, from, Frame.ListRequest.PAGE);
                    if (!page.isEmpty()) {
                        free(page);
                        from = page.get(page.size() - 1).index() + 1;
                    }
                    if (page.size() < Frame.ListRequest.PAGE || from < 0) {
                        tag++;
                        from = 0;
                    }
                    if (!page.isEmpty()) {
                        loop.execute(failures.guard(this));
                        return;
                    }
                }
            } catch (EscrowException e) {
                throw new IllegalStateException("a slot that was listed is not there", e);
            }
            if (freed > 0) {
                eventLog.statistics().happened(Statistics.Incident.REAPED, freed);
                eventLog.warn("slots freed whose peer has gone", Map.of("slots", freed));
            }
        }

        private void free(List<SlotInfo> page) throws EscrowException {
            for (SlotInfo slot : store.markHungUp(page, hangups)) {
                if (slot.peerGone()) {
                    store.delete(slot.tag(), slot.index());
                    freed++;
                }
            }
        }
    }
}
