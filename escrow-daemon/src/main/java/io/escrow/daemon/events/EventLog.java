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

/** Logs and counts what happens, and keeps the latest of it for those who watch. Used on the daemon's event loop only. */
public final class EventLog {

    private static final Logger logger = LoggerFactory.getLogger(EventLog.class);
    private static final int KEPT = 256;

    /**
     * Tells that something has happened.
     *
     * @param number counts up from 1
     * @param time when it was
     * @param name what it was
     * @param details numbers and names that belong to it
     */
    public record Event(long number, Instant time, String name, Map<String, Object> details) {}

    private final Statistics statistics = new Statistics();
    private final Deque<Event> latest = new ArrayDeque<>();
    private long last;

    /** Returns what is only counted. */
    public Statistics statistics() {
        return statistics;
    }

    /** Notes something that is as it should be. */
    public void info(String name, Map<String, Object> details) {
        add(Level.INFO, name, details);
    }

    /** Notes something that somebody should know. */
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

    /** Returns the events behind a number, as far as they are kept. */
    public List<Event> since(long number) {
        return latest.stream().filter(event -> event.number() > number).toList();
    }
}
