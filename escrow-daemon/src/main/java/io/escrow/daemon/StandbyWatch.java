package io.escrow.daemon;

import io.escrow.control.StandbyView;
import io.escrow.daemon.config.StandbyOptions;
import io.escrow.daemon.events.EventLog;
import io.escrow.daemon.events.FailureDetector;
import io.escrow.daemon.follow.Primary;
import io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/**
 * Watches the process that stands by: tells it each second what was counted, and complains when there is none although one was
 * asked for. Used on the daemon's event loop.
 */
final class StandbyWatch {

    private final EventLoop loop;
    private final EventLog eventLog;
    private final FailureDetector failures;
    private final StandbyOptions options;
    private final BiConsumer<String, Consumer<String>> figures;
    private Primary link;
    private boolean wanted;
    private boolean ticking;
    private boolean inStep;
    private long sinceNanos = System.nanoTime();
    private long alarmNanos;
    private String lastFigures = "";

    /**
     * Creates an object that watches nothing.
     *
     * @param options say how long no process may be in step before that is logged, and logged again
     * @param figures tells the figures unless they are those of the first argument; then tells them to the second one
     */
    StandbyWatch(
            EventLoop loop,
            EventLog eventLog,
            FailureDetector failures,
            StandbyOptions options,
            BiConsumer<String, Consumer<String>> figures) {
        this.loop = loop;
        this.eventLog = eventLog;
        this.failures = failures;
        this.options = options;
        this.figures = figures;
    }

    /** Expects that a process stands by. */
    void expect() {
        wanted = true;
        alarmNanos = System.nanoTime() + options.alarm().toNanos();
        begin();
    }

    /** Sets the link to a process that stands by; {@code null} if there is none any more. */
    void follows(Primary follower) {
        link = follower;
        lastFigures = "";
        look();
        if (follower != null) {
            begin();
        }
    }

    private void begin() {
        if (!ticking) {
            ticking = true;
            loop.scheduleWithFixedDelay(failures.guard(this::tick), 1, 1, TimeUnit.SECONDS);
        }
    }

    private void tick() {
        figures.accept(lastFigures, told -> lastFigures = told);
        look();
        if (wanted && !inStep && System.nanoTime() - alarmNanos >= 0) {
            alarmNanos = System.nanoTime() + options.alarmInterval().toNanos();
            eventLog.warn("no standby", Map.of("seconds", seconds()));
        }
    }

    /** Notices whether the process has come into step, or is so no more. */
    void look() {
        boolean now = link != null && link.isInStep();
        if (now == inStep) {
            return;
        }
        inStep = now;
        sinceNanos = System.nanoTime();
        alarmNanos = sinceNanos + options.alarm().toNanos();
        if (now) {
            Map<String, Object> details = new LinkedHashMap<>(link.peer().details());
            details.put("version", link.program());
            eventLog.info("standby in step", details);
        }
    }

    private double seconds() {
        return Duration.ofNanos(System.nanoTime() - sinceNanos).toMillis() / 1e3;
    }

    /** Returns the status; {@code null} if there is no such process, and none is expected. */
    StandbyView view() {
        if (link == null) {
            return wanted ? new StandbyView(true, null, null, false, 0, 0, seconds()) : null;
        }
        return new StandbyView(
                wanted, link.peer().pid(), link.program(), inStep, link.framesBehind(), link.bytesBehind(), seconds());
    }
}
