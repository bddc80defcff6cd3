package io.escrow.daemon.events;

import io.escrow.Status;
import io.escrow.codec.Frame;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** Counts what the daemon has done since it started. Used on the daemon's event loop only. */
public final class Statistics {

    /** The requests of a session. */
    private enum Request {
        ADD,
        GET,
        UPDATE,
        DELETE,
        TAG,
        LIST,
        OTHER;

        static Request of(Frame frame) {
            if (frame instanceof Frame.Add) {
                return ADD;
            } else if (frame instanceof Frame.Get) {
                return GET;
            } else if (frame instanceof Frame.Delete) {
                return DELETE;
            } else if (frame instanceof Frame.Update) {
                return UPDATE;
            } else if (frame instanceof Frame.Tag) {
                return TAG;
            }
            return frame instanceof Frame.ListRequest ? LIST : OTHER;
        }
    }

    /** What can happen to sessions and slots besides requests. */
    public enum Incident {
        SESSION,
        REFUSED,
        TIMED_OUT,
        EVICTED,
        EXPIRED,
        REAPED,
        REMOVED
    }

    /**
     * Counts the changes of the slots of a tag.
     *
     * @param added how often a slot was filled
     * @param fetched how often a slot was read
     * @param deleted how often a client emptied a slot
     */
    public record Changes(long added, long fetched, long deleted) {

        public static final Changes NONE = new Changes(0, 0, 0);

        public Changes since(Changes before) {
            return new Changes(added - before.added, fetched - before.fetched, deleted - before.deleted);
        }
    }

    /**
     * Holds all counters, for another daemon that goes on counting.
     *
     * @param requests how often each kind of request has had each outcome
     * @param incidents how often each incident has happened
     * @param changes the changes of each tag
     * @param queued the buckets of the time that clients have waited
     * @param queuedSum the sum of these times in seconds
     * @param lasted the buckets of the durations of sessions
     * @param lastedSum the sum of these durations in seconds
     */
    @SuppressWarnings("ArrayRecordComponent") // records are not compared
    public record Saved(
            Map<String, Map<String, Long>> requests,
            Map<String, Long> incidents,
            Map<Integer, Changes> changes,
            long[] queued,
            double queuedSum,
            long[] lasted,
            double lastedSum) {}

    private static final class Count {
        long value;
    }

    private static final class ChangeCounts {
        long added;
        long fetched;
        long deleted;
    }

    private final Map<Request, Map<Status, Count>> requests = new EnumMap<>(Request.class);
    private final Map<Incident, Count> incidents = new EnumMap<>(Incident.class);
    private final Map<Integer, ChangeCounts> changes = new TreeMap<>();
    private final DurationHistogram queued = new DurationHistogram();
    private final DurationHistogram lasted = new DurationHistogram();

    /** Counts a request and its answer. */
    void answered(Frame frame, Frame answer) {
        Request request = Request.of(frame);
        Status status = answer instanceof Frame.Reply reply ? reply.status() : Status.OK;
        count(request, status).value++;
        if (status == Status.OK) {
            switch (request) {
                case ADD -> changesOf(frame).added++;
                case GET -> changesOf(frame).fetched++;
                case DELETE -> changesOf(frame).deleted++;
                default -> {}
            }
        }
    }

    private ChangeCounts changesOf(Frame frame) {
        return changes.computeIfAbsent(frame.tag(), tag -> new ChangeCounts());
    }

    /** Counts incidents. */
    public void happened(Incident incident, int times) {
        incidents.computeIfAbsent(incident, i -> new Count()).value += times;
    }

    /** Counts the time that a client has waited for its session. */
    void queued(double seconds) {
        queued.add(seconds);
    }

    /** Counts the duration of a session. */
    void lasted(double seconds) {
        lasted.add(seconds);
    }

    /** Returns all counters. */
    public Saved save() {
        Map<String, Long> happened = new LinkedHashMap<>();
        incidents.forEach((incident, count) -> happened.put(incident.name(), count.value));
        DurationHistogram.Counted waits = queued.counted();
        DurationHistogram.Counted durations = lasted.counted();
        return new Saved(
                requests(), happened, changes(), waits.counts(), waits.sum(), durations.counts(), durations.sum());
    }

    /** Adds what another daemon has counted. What this version does not know is left out. */
    public void restore(Saved saved) {
        for (Request request : Request.values()) {
            Map<String, Long> outcomes = saved.requests().getOrDefault(name(request), Map.of());
            for (Status status : Status.values()) {
                Long times = outcomes.get(status.name());
                if (times != null) {
                    count(request, status).value += times;
                }
            }
        }
        for (Incident incident : Incident.values()) {
            long times = saved.incidents().getOrDefault(incident.name(), 0L);
            if (times > 0) {
                incidents.computeIfAbsent(incident, i -> new Count()).value += times;
            }
        }
        saved.changes().forEach((tag, more) -> {
            ChangeCounts counts = changes.computeIfAbsent(tag, t -> new ChangeCounts());
            counts.added += more.added();
            counts.fetched += more.fetched();
            counts.deleted += more.deleted();
        });
        queued.add(saved.queued(), saved.queuedSum());
        lasted.add(saved.lasted(), saved.lastedSum());
    }

    private Count count(Request request, Status status) {
        return requests.computeIfAbsent(request, r -> new EnumMap<>(Status.class))
                .computeIfAbsent(status, s -> new Count());
    }

    private static String name(Request request) {
        return request.name().toLowerCase(Locale.ROOT);
    }

    /** Returns how often an incident has happened. */
    public long count(Incident incident) {
        Count count = incidents.get(incident);
        return count == null ? 0 : count.value;
    }

    /** Returns how often each kind of request has had each outcome, without zeros. */
    public Map<String, Map<String, Long>> requests() {
        Map<String, Map<String, Long>> counts = new LinkedHashMap<>();
        requests.forEach((request, outcomes) -> {
            Map<String, Long> named = new LinkedHashMap<>();
            outcomes.forEach((status, count) -> named.put(status.name(), count.value));
            counts.put(name(request), named);
        });
        return counts;
    }

    /** Returns the changes of each tag that has changed. */
    public Map<Integer, Changes> changes() {
        Map<Integer, Changes> counts = new TreeMap<>();
        changes.forEach((tag, c) -> counts.put(tag, new Changes(c.added, c.fetched, c.deleted)));
        return counts;
    }

    /** Returns how long clients have waited for their sessions. */
    public DurationHistogram.Counted queueTimes() {
        return queued.counted();
    }

    /** Returns how long sessions lasted. */
    public DurationHistogram.Counted sessionTimes() {
        return lasted.counted();
    }
}
