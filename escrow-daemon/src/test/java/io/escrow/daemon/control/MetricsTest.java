package io.escrow.daemon.control;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.control.StandbyView;
import io.escrow.control.StatusView;
import io.escrow.daemon.events.DurationHistogram;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class MetricsTest {

    private static String text(StandbyView standby) {
        DurationHistogram.Counted none =
                new DurationHistogram.Counted(new double[] {1, Double.POSITIVE_INFINITY}, new long[] {0, 0}, 0);
        StatusView status = new StatusView(
                "1.2",
                7,
                "/run/s",
                "2026-01-01T00:00:00Z",
                61,
                null,
                0,
                0,
                1,
                0,
                1,
                0,
                1,
                0,
                1,
                List.of(),
                new StatusView.Counters(0, 0, 0, 0, 0, 0, 0, 0, Map.of()),
                standby);
        return new String(Metrics.text(new ControlService.Figures(status, none, none)), UTF_8);
    }

    private static void check(String text, String... lines) {
        for (String line : lines) {
            assertTrue(text.contains("\n" + line + "\n"), () -> line + " is missing in " + text);
        }
    }

    @Test
    void noStandby() {
        check(
                text(null),
                "escrowd_standby_wanted 0.0",
                "escrowd_standby_in_step 0.0",
                "escrowd_standby_behind_changes 0.0",
                "escrowd_standby_behind_bytes 0.0");
    }

    @Test
    void standbyThatIsMissing() {
        check(
                text(new StandbyView(true, null, null, false, 0, 0, 12)),
                "escrowd_standby_wanted 1.0",
                "escrowd_standby_in_step 0.0");
    }

    @Test
    void standbyThatIsBehind() {
        check(
                text(new StandbyView(true, 8, "1.2", true, 3, 4_096, 12)),
                "escrowd_standby_wanted 1.0",
                "escrowd_standby_in_step 1.0",
                "escrowd_standby_behind_changes 3.0",
                "escrowd_standby_behind_bytes 4096.0");
    }
}
