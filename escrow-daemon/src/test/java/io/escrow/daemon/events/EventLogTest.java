package io.escrow.daemon.events;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class EventLogTest {

    private final EventLog eventLog = new EventLog();

    @Test
    void tellsWhatHasHappenedSince() {
        Map<String, Object> details = new HashMap<>(Map.of("slots", 3));
        eventLog.info("one", details);
        details.put("slots", 4);
        eventLog.warn("two", details);

        assertEquals(2, eventLog.last());
        assertEquals(List.of(), eventLog.since(2));
        assertEquals(List.of(), eventLog.since(Long.MAX_VALUE));
        assertEquals(List.of("two"), names(1));
        assertEquals(List.of("one", "two"), names(0));
        assertEquals(Map.of("slots", 3), eventLog.since(0).get(0).details());
    }

    @Test
    void keepsTheLatest() {
        for (int i = 1; i <= 300; i++) {
            eventLog.info("event " + i, Map.of());
        }

        List<EventLog.Event> kept = eventLog.since(0);
        assertEquals(256, kept.size());
        assertEquals(45, kept.get(0).number());
        assertEquals("event 45", kept.get(0).name());
        assertEquals(300, kept.get(255).number());
        assertEquals(300, eventLog.last());
    }

    private List<String> names(long since) {
        return eventLog.since(since).stream().map(EventLog.Event::name).toList();
    }
}
