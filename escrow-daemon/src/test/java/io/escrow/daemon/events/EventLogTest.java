package io.escrow.daemon.events;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class EventLogTest {

    private final EventLog journal = new EventLog();

    @Test
    void tellsWhatHasHappenedSince() {
        Map<String, Object> details = new HashMap<>(Map.of("slots", 3));
        journal.info("one", details);
        details.put("slots", 4);
        journal.warn("two", details);

        assertEquals(2, journal.last());
        assertEquals(List.of(), journal.since(2));
        assertEquals(List.of(), journal.since(Long.MAX_VALUE));
        assertEquals(List.of("two"), names(1));
        assertEquals(List.of("one", "two"), names(0));
        assertEquals(Map.of("slots", 3), journal.since(0).get(0).details());
    }

    @Test
    void keepsTheLatest() {
        for (int i = 1; i <= 300; i++) {
            journal.info("event " + i, Map.of());
        }

        List<EventLog.Event> kept = journal.since(0);
        assertEquals(256, kept.size());
        assertEquals(45, kept.get(0).number());
        assertEquals("event 45", kept.get(0).name());
        assertEquals(300, kept.get(255).number());
        assertEquals(300, journal.last());
    }

    private List<String> names(long since) {
        return journal.since(since).stream().map(EventLog.Event::name).toList();
    }
}
