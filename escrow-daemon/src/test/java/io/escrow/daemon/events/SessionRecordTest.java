package io.escrow.daemon.events;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Status;
import io.escrow.codec.Frame;
import io.escrow.daemon.kernel.PeerIdentity;
import io.netty.channel.embedded.EmbeddedChannel;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SessionRecordTest {

    private final EventLog eventLog = new EventLog();
    private final EmbeddedChannel channel = new EmbeddedChannel();
    private final SessionRecord sessionRecord = new SessionRecord(eventLog, channel, PeerIdentity.UNKNOWN);

    @AfterEach
    void close() {
        channel.finish();
    }

    @Test
    void knowsHowLongTheClientHasWaited() {
        sessionRecord.greeted(System.currentTimeMillis() - 60_000);

        Duration queued = sessionRecord.queued();
        assertTrue(queued.compareTo(Duration.ofSeconds(59)) > 0, queued::toString);
        assertTrue(queued.compareTo(Duration.ofMinutes(2)) < 0, queued::toString);
        assertEquals(1, counted(eventLog.statistics().queueTimes()));
        assertEquals(queued.toMillis() / 1e3, onlyEvent().details().get("queued_seconds"));
    }

    @Test
    void takesClockThatWasSetBackForNoWait() {
        sessionRecord.greeted(System.currentTimeMillis() + 3_600_000);

        assertEquals(Duration.ZERO, sessionRecord.queued());
        assertEquals(1, counted(eventLog.statistics().queueTimes()));
    }

    @Test
    void believesNoWaitOfMoreThanWeek() {
        sessionRecord.greeted(System.currentTimeMillis() - Duration.ofDays(8).toMillis());

        assertNotQueued();
    }

    @Test
    void knowsNoWaitOfClientThatDoesNotTell() {
        sessionRecord.greeted(0);

        assertNotQueued();
    }

    private void assertNotQueued() {
        assertNull(sessionRecord.queued());
        assertEquals(0, counted(eventLog.statistics().queueTimes()));
        assertEquals("session began", onlyEvent().name());
        assertFalse(onlyEvent().details().containsKey("queued_seconds"));
        assertEquals(1, eventLog.statistics().count(Statistics.Incident.SESSION));
    }

    @Test
    void tellsWhatSessionCameTo() {
        sessionRecord.greeted(0);
        sessionRecord.answered(new Frame.Tag(1), new Frame.Info(1, 0, 0, 0));
        sessionRecord.answered(new Frame.Get(1, 1), new Frame.Reply(Status.ENOENT, "empty"));
        sessionRecord.failed(Status.ETIMEDOUT, "stopped");
        sessionRecord.ended();

        assertEquals(2, sessionRecord.requests());
        assertEquals(
                Map.of("tag", Map.of("OK", 1L), "get", Map.of("ENOENT", 1L)),
                eventLog.statistics().requests());
        assertEquals(1, counted(eventLog.statistics().sessionTimes()));
        assertEquals(1, eventLog.statistics().count(Statistics.Incident.TIMED_OUT));
        EventLog.Event end = eventLog.since(1).get(0);
        assertEquals("session ended", end.name());
        assertEquals(2L, end.details().get("requests"));
        assertEquals(Status.ETIMEDOUT, end.details().get("status"));
        assertEquals("stopped", end.details().get("reason"));
    }

    /** As does a probe that looks whether the daemon listens. */
    @Test
    void saysNothingOfOneWhoLeavesWithoutGreeting() {
        sessionRecord.ended();

        assertEquals(List.of(), eventLog.since(0));
        assertEquals(0, eventLog.statistics().count(Statistics.Incident.SESSION));
        assertEquals(0, counted(eventLog.statistics().sessionTimes()));
    }

    @Test
    void tellsOfOneWhoIsSentAwayWithoutGreeting() {
        sessionRecord.failed(Status.EPROTO, "no HEL");
        sessionRecord.ended();

        assertEquals("session ended", onlyEvent().name());
        assertEquals(0, counted(eventLog.statistics().sessionTimes()));
    }

    private EventLog.Event onlyEvent() {
        List<EventLog.Event> events = eventLog.since(0);
        assertEquals(1, events.size(), events::toString);
        return events.get(0);
    }

    private static long counted(DurationHistogram.Counted durations) {
        return Arrays.stream(durations.counts()).sum();
    }
}
