package io.escrow.handover;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SafeObserverTest {

    @Test
    void whatAnObserverThrowsIsWarnedOfOnce() {
        List<Duration> told = new ArrayList<>();
        HandoverObserver safe = new SafeObserver(new HandoverObserver() {
            @Override
            public void paused(Duration pause) {
                told.add(pause);
                throw new LinkageError("no such meter");
            }
        });
        PrintStream err = System.err;
        ByteArrayOutputStream log = new ByteArrayOutputStream();
        System.setErr(new PrintStream(log, true, UTF_8));
        try {
            safe.paused(Duration.ofMillis(1));
            safe.paused(Duration.ofMillis(2));
        } finally {
            System.setErr(err);
        }
        assertEquals(List.of(Duration.ofMillis(1), Duration.ofMillis(2)), told);
        String text = log.toString(UTF_8);
        assertTrue(text.contains("WARN") && text.contains("the observer of this server has failed"), text);
        assertEquals(text.indexOf("no such meter"), text.lastIndexOf("no such meter"), text);
    }
}
