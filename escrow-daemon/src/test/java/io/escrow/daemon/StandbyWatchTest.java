package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.control.StandbyView;
import io.escrow.daemon.config.StandbyOptions;
import io.escrow.daemon.events.EventLog;
import io.escrow.daemon.events.FailureDetector;
import io.netty.channel.embedded.EmbeddedChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class StandbyWatchTest {

    private final EmbeddedChannel time = new EmbeddedChannel();
    private final EventLog events = new EventLog();
    private final List<String> before = new ArrayList<>();

    StandbyWatchTest() {
        time.freezeTime();
    }

    private StandbyWatch watch(Duration alarm) {
        StandbyOptions standby = StandbyOptions.DEFAULT;
        StandbyOptions options = new StandbyOptions(
                standby.timeout(), standby.handover(), alarm, Duration.ofMinutes(10), standby.behind());
        return new StandbyWatch(time.eventLoop(), events, new FailureDetector(), options, (last, told) -> {
            before.add(last);
            told.accept("figures " + before.size());
        });
    }

    private void pass(int seconds) {
        for (int i = 0; i < seconds; i++) {
            time.advanceTimeBy(1, TimeUnit.SECONDS);
            time.runScheduledPendingTasks();
        }
    }

    @Test
    void nothingIsExpectedByDefault() {
        StandbyWatch watch = watch(Duration.ofNanos(1));
        pass(3);
        assertNull(watch.view());
        assertEquals(List.of(), events.since(0));
    }

    @Test
    void complainsOnceInTenMinutesWhenNoProcessStandsBy() {
        StandbyWatch watch = watch(Duration.ofNanos(1));
        watch.expect();
        StandbyView view = watch.view();
        assertTrue(view.wanted());
        assertFalse(view.inStep());
        assertNull(view.pid());
        pass(3);
        List<EventLog.Event> logged = events.since(0);
        assertEquals(1, logged.size());
        assertEquals("no standby", logged.get(0).name());
        assertTrue((double) logged.get(0).details().get("seconds") >= 0);
    }

    @Test
    void waitsBeforeItComplains() {
        watch(Duration.ofDays(1)).expect();
        pass(3);
        assertEquals(List.of(), events.since(0));
    }

    @Test
    void tellsFiguresEachSecondWithThoseOfBefore() {
        watch(Duration.ofDays(1)).expect();
        pass(3);
        assertEquals(List.of("", "figures 1", "figures 2"), before);
    }
}
