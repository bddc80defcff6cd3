package io.escrow.daemon.events;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.Status;
import io.escrow.codec.Frame;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class StatisticsTest {

    private static final Frame OK = new Frame.Reply(Status.OK, "");
    private static final Frame NOT_FOUND = new Frame.Reply(Status.ENOENT, "empty");

    private final Statistics statistics = new Statistics();

    @Test
    void countsRequestsByKindAndOutcome() {
        Frame.Add held = new Frame.Add(1, 2, -1, new byte[0], null);
        statistics.answered(held, OK);
        statistics.answered(new Frame.Add(9, 2, -1, new byte[0], null), new Frame.Reply(Status.ENOSPC, "full"));
        statistics.answered(new Frame.Get(1, 2), held);
        statistics.answered(new Frame.Get(1, 3), NOT_FOUND);
        statistics.answered(new Frame.Get(1, 4), NOT_FOUND);
        statistics.answered(new Frame.Update(1, 2, new byte[1]), OK);
        statistics.answered(new Frame.Delete(1, 2), OK);
        statistics.answered(new Frame.Tag(1), new Frame.Info(1, 0, 0, 0));
        statistics.answered(new Frame.ListRequest(1, 0, 8), new Frame.ListPage(1, -1, List.of()));
        statistics.answered(new Frame.Invalid(Status.EINVAL, "opcode"), new Frame.Reply(Status.EINVAL, "opcode"));

        assertEquals(
                Map.of(
                        "add",
                        Map.of("OK", 1L, "ENOSPC", 1L),
                        "get",
                        Map.of("OK", 1L, "ENOENT", 2L),
                        "update",
                        Map.of("OK", 1L),
                        "delete",
                        Map.of("OK", 1L),
                        "tag",
                        Map.of("OK", 1L),
                        "list",
                        Map.of("OK", 1L),
                        "other",
                        Map.of("EINVAL", 1L)),
                statistics.requests());
        assertEquals(Map.of(1, new Statistics.Changes(1, 1, 1)), statistics.changes());
    }

    @Test
    void goesOnWithWhatAnotherDaemonHasCounted() {
        statistics.answered(new Frame.Get(1, 3), NOT_FOUND);
        statistics.answered(new Frame.Delete(1, 2), OK);
        statistics.happened(Statistics.Incident.SESSION, 3);
        statistics.queued(0.5);
        statistics.lasted(7);
        Statistics next = new Statistics();
        next.answered(new Frame.Delete(1, 2), OK);
        next.restore(statistics.save());
        assertEquals(Map.of("get", Map.of("ENOENT", 1L), "delete", Map.of("OK", 2L)), next.requests());
        assertEquals(Map.of(1, new Statistics.Changes(0, 0, 2)), next.changes());
        assertEquals(3, next.count(Statistics.Incident.SESSION));
        assertEquals(0.5, next.queueTimes().sum());
        assertArrayEquals(
                statistics.sessionTimes().counts(), next.sessionTimes().counts());
    }

    @Test
    void countersOfALaterVersionAreLeftOut() {
        statistics.restore(new Statistics.Saved(
                Map.of("move", Map.of("OK", 1L), "get", Map.of("ENEW", 1L, "OK", 2L)),
                Map.of("NEW", 5L),
                Map.of(),
                new long[50],
                0,
                new long[1],
                0));
        assertEquals(Map.of("get", Map.of("OK", 2L)), statistics.requests());
    }

    @Test
    void tellsWhatHasChangedSince() {
        statistics.answered(new Frame.Delete(1, 2), OK);
        Statistics.Changes before = statistics.changes().get(1);
        statistics.answered(new Frame.Delete(1, 3), OK);
        statistics.answered(new Frame.Add(1, 2, -1, new byte[0], null), OK);

        assertEquals(
                new Statistics.Changes(1, 0, 1), statistics.changes().get(1).since(before));
        assertEquals(new Statistics.Changes(0, 0, 1), before);
    }

    @Test
    void countsIncidents() {
        statistics.happened(Statistics.Incident.EXPIRED, 5);
        statistics.happened(Statistics.Incident.EXPIRED, 2);

        assertEquals(7, statistics.count(Statistics.Incident.EXPIRED));
        assertEquals(0, statistics.count(Statistics.Incident.REAPED));
    }

    @Test
    void sortsDurationsIntoBuckets() {
        statistics.queued(0);
        statistics.queued(0.001);
        statistics.queued(0.0011);
        statistics.queued(86_400);
        statistics.queued(86_401);
        statistics.lasted(7);

        DurationHistogram.Counted queued = statistics.queueTimes();
        assertEquals(0.001, queued.bounds()[0]);
        assertEquals(Double.POSITIVE_INFINITY, queued.bounds()[13]);
        assertEquals(List.of(2L, 1L, 0L, 0L, 0L, 0L, 0L, 0L, 0L, 0L, 0L, 0L, 1L, 1L), counts(queued));
        assertEquals(172_801.0021, queued.sum(), 1e-6);
        DurationHistogram.Counted lasted = statistics.sessionTimes();
        assertEquals(List.of(0L, 0L, 0L, 0L, 0L, 0L, 0L, 0L, 1L, 0L, 0L, 0L, 0L, 0L), counts(lasted));
        assertEquals(7, lasted.sum());
    }

    private static List<Long> counts(DurationHistogram.Counted counted) {
        return Arrays.stream(counted.counts()).boxed().toList();
    }
}
