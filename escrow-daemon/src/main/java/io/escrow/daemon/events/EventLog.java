package io.escrow.daemon.events;

import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;
import org.slf4j.spi.LoggingEventBuilder;

/** Logs events, and keeps the latest ones for operators that watch. Used on the daemon's event loop only. */
public final class EventLog {

    private static final Logger logger = LoggerFactory.getLogger(EventLog.class);
    private static final int KEPT = 256;

    /**
     * An event.
     *
     * @param number the number of the event, from 1 up
     * @param time the time of the event
     * @param name what happened
     * @param details further properties by name
     */
    public record Event(long number, Instant time, String name, Map<String, Object> details) {}

    private final Statistics statistics = new Statistics();
    private final Deque<Event> latest = new ArrayDeque<>();
    private long last;

    /** Returns the counters. */
    public Statistics statistics() {
        return statistics;
    }

    /** Adds an event of normal operation. */
    public void info(String name, Map<String, Object> details) {
        add(Level.INFO, name, details);
    }

    /** Adds an event that an operator should notice. */
    public void warn(String name, Map<String, Object> details) {
        add(Level.WARN, name, details);
    }

    private void add(Level level, String name, Map<String, Object> details) {
        LoggingEventBuilder log = logger.atLevel(level);
        for (Map.Entry<String, Object> detail : details.entrySet()) {
            log = log.addKeyValue(detail.getKey(), detail.getValue());
        }
        log.log(name);
        if (latest.size() == KEPT) {
            latest.remove();
        }
        latest.add(new Event(++last, Instant.now(), name, new LinkedHashMap<>(details)));
    }

    /** Returns the number of the latest event. */
    public long last() {
        return last;
    }

    /** Returns the events after a number, as far as they are kept. */
    public List<Event> since(long number) {
        return latest.stream().filter(event -> event.number() > number).toList();
    }
}
