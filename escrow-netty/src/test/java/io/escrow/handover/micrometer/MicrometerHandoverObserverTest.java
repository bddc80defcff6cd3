package io.escrow.handover.micrometer;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.HandoverReport;
import io.escrow.handover.Pauses;
import io.escrow.handover.StartReport;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class MicrometerHandoverObserverTest {

    private static final Pauses PAUSES =
            new Pauses(2, Duration.ofMillis(10), Duration.ofMillis(20), Duration.ofMillis(20));

    private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
    private final MicrometerHandoverObserver observer =
            new MicrometerHandoverObserver(registry, Tags.of("server", "http"));

    /** Returns the counters that are not zero, as {@code name} or {@code name value-of-its-own-tag}. */
    private Map<String, Double> counters() {
        Map<String, Double> counters = new HashMap<>();
        for (Meter meter : registry.getMeters()) {
            if (meter.getId().getType() == Meter.Type.COUNTER
                    && meter.measure().iterator().next().getValue() > 0) {
                String own = Stream.of("outcome", "after")
                        .map(meter.getId()::getTag)
                        .filter(value -> value != null)
                        .findFirst()
                        .map(value -> " " + value)
                        .orElse("");
                counters.put(
                        meter.getId().getName() + own,
                        meter.measure().iterator().next().getValue());
            }
        }
        return counters;
    }

    @Test
    void aStart() {
        observer.queued(Duration.ofSeconds(3));
        observer.paused(Duration.ofMillis(10));
        observer.paused(Duration.ofMillis(20));
        observer.started(new StartReport(
                List.of("http"),
                List.of(),
                List.of(),
                2,
                5,
                List.of("one"),
                List.of("two", "three"),
                Duration.ofMillis(7),
                PAUSES));

        Timer pause =
                registry.get("escrow.handover.pause").tag("server", "http").timer();
        assertEquals(2, pause.count());
        assertEquals(20, pause.max(TimeUnit.MILLISECONDS));
        assertEquals(30, pause.totalTime(TimeUnit.MILLISECONDS));
        Timer wait = registry.get("escrow.queue.wait").timer();
        assertEquals(1, wait.count());
        assertEquals(3, wait.totalTime(TimeUnit.SECONDS));
        assertEquals(
                Map.of(
                        "escrow.connections.adopted crash",
                        5.0,
                        "escrow.connections.adopted handover",
                        2.0,
                        "escrow.connections.left",
                        2.0,
                        "escrow.connections.refused",
                        1.0),
                counters());
    }

    @Test
    void handovers() {
        List<HandoverReport.Staying> staying = List.of(new HandoverReport.Staying(null, "TLS"));
        observer.handoverFailed(new IllegalStateException("busy"));
        observer.handoverFailed(new IllegalStateException("busy"));
        observer.handedOver(new HandoverReport(1, 40, staying, Duration.ZERO, Duration.ZERO));

        assertEquals(
                Map.of(
                        "escrow.handovers failure",
                        2.0,
                        "escrow.handovers success",
                        1.0,
                        "escrow.connections.moved",
                        40.0,
                        "escrow.connections.staying",
                        1.0),
                counters());
    }

    @Test
    void sessions() {
        observer.sessionLost();
        observer.sessionLost();
        observer.sessionRegained();

        assertEquals(Map.of("escrow.session.lost", 2.0, "escrow.session.regained", 1.0), counters());
    }

    @Test
    void allMetersAreThereFromTheStartWithTheTagsOfTheCaller() {
        Set<String> names = new HashSet<>();
        for (Meter meter : registry.getMeters()) {
            names.add(meter.getId().getName());
            assertEquals("http", meter.getId().getTag("server"), meter.getId()::toString);
            assertTrue(meter.getId().getDescription().length() > 10, meter.getId()::toString);
        }
        assertEquals(
                Set.of(
                        "escrow.connections.adopted",
                        "escrow.connections.left",
                        "escrow.connections.moved",
                        "escrow.connections.refused",
                        "escrow.connections.staying",
                        "escrow.handover.pause",
                        "escrow.handovers",
                        "escrow.queue.wait",
                        "escrow.session.lost",
                        "escrow.session.regained"),
                names);
    }

    /** Micrometer need not be there: so no class outside this package may name it, or one of this package. */
    @Test
    void nothingElseRefersToMicrometer() throws IOException {
        Path classes = Path.of("target/classes/io/escrow/handover");
        try (Stream<Path> files = Files.walk(classes)) {
            List<Path> referring = files.filter(file -> file.toString().endsWith(".class"))
                    .filter(file -> !file.startsWith(classes.resolve("micrometer")))
                    .filter(MicrometerHandoverObserverTest::namesMicrometer)
                    .toList();
            assertEquals(List.of(), referring);
        }
        assertTrue(namesMicrometer(classes.resolve("micrometer/MicrometerHandoverObserver.class")));
    }

    private static boolean namesMicrometer(Path file) {
        try {
            return Files.readString(file, ISO_8859_1).contains("micrometer");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
