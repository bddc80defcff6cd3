package io.escrow.ctl;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.control.SessionView;
import io.escrow.control.StandbyView;
import io.escrow.control.StatusView;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class StatusTextTest {

    private static final StatusView.Counters NOTHING = new StatusView.Counters(0, 0, 0, 0, 0, 0, 0, 0, Map.of());

    private static StatusView status(SessionView session, List<StatusView.TagView> tags, StatusView.Counters counters) {
        return status(session, tags, counters, null);
    }

    private static StatusView status(
            SessionView session, List<StatusView.TagView> tags, StatusView.Counters counters, StandbyView standby) {
        return new StatusView(
                "1.2",
                7,
                "/run/s",
                "2026-01-01T00:00:00Z",
                61,
                session,
                2,
                3,
                1_000,
                4_096,
                1_000_000,
                1,
                900,
                40,
                1_024,
                tags,
                counters,
                standby);
    }

    @Test
    void tellsOfDaemonThatIsUsed() {
        Map<String, Map<String, Long>> requests = new LinkedHashMap<>();
        Map<String, Long> outcomes = new LinkedHashMap<>();
        outcomes.put("OK", 1_500L);
        outcomes.put("ENOENT", 2L);
        requests.put("get", outcomes);
        StatusView status = status(
                new SessionView(4_711, -2, 0, "server.jar", 5, 1.25, 1_502),
                List.of(new StatusView.TagView(0, 1, 1, 0), new StatusView.TagView(12, 2, 0, 4_096)),
                new StatusView.Counters(3, 1, 2, 4, 5, 6, 7, 8, requests));

        assertEquals(
                List.of(
                        "escrowd 1.2 at /run/s, process 7, up 1 min 1 s",
                        "session: process 4711 (server.jar), user 4294967294, for 5.0 s, waited 1.3 s, 1,502 requests",
                        "waiting: 2",
                        "",
                        "                held      limit",
                        "slots              3      1,000",
                        "descriptors        1        900",
                        "payload bytes  4,096  1,000,000",
                        "open files        40      1,024",
                        "",
                        "tag  slots  descriptors  payload bytes",
                        "  0      1            1              0",
                        " 12      2            0          4,096",
                        "",
                        "sessions: 3 (timed out 2, evicted 4); clients refused: 1",
                        "slots closed by escrowd: expired 5, reaped 6, by operators 7",
                        "lines of the log dropped: 8",
                        "requests get: 1,500 OK, 2 ENOENT"),
                StatusText.of(status));
    }

    @Test
    void tellsOfDaemonThatIsIdle() {
        List<String> lines = StatusText.of(status(null, List.of(), NOTHING));

        assertEquals("session: none", lines.get(1));
        assertEquals(12, lines.size(), lines::toString);
    }

    @Test
    void tellsOfClientThatCannotBeSeen() {
        List<String> lines = StatusText.of(status(new SessionView(0, 0, 0, null, 0.04, null, 0), List.of(), NOTHING));

        assertEquals("session: process (in another container), user 0, for 0.0 s, 0 requests", lines.get(1));
    }

    private static String standby(StandbyView standby) {
        List<String> lines = StatusText.of(status(null, List.of(), NOTHING, standby));
        assertEquals(13, lines.size(), lines::toString);
        return lines.get(3);
    }

    @Test
    void tellsOfStandby() {
        assertEquals("standby: NONE for 12 s", standby(new StandbyView(true, null, null, false, 0, 0, 12)));
        assertEquals(
                "standby: process 8, escrowd 1.3, in step for 1 min 1 s, behind: 2 changes, 4,096 bytes",
                standby(new StandbyView(true, 8, "1.3", true, 2, 4_096, 61)));
        assertEquals(
                "standby: process (in another container), escrowd 1.3, NOT YET IN STEP for 0.5 s, behind: 2 changes, 9 bytes",
                standby(new StandbyView(false, 0, "1.3", false, 2, 9, 0.5)));
    }
}
