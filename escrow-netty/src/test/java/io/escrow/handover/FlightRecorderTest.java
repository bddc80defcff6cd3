package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;

/** Records what starts and handovers do. */
class FlightRecorderTest extends HandoverHarness {

    private static final String EVENT = "io.escrow.HandoverPhase";
    private static final int MANY = 40;

    /** Does something, and returns the phases that were recorded in the order of their ends. */
    private List<RecordedEvent> record(Steps steps) throws Exception {
        Path file = directory.resolve("recording.jfr");
        try (Recording recording = new Recording()) {
            recording.enable(EVENT);
            recording.start();
            steps.run();
            recording.stop();
            recording.dump(file);
        }
        List<RecordedEvent> events = new ArrayList<>(RecordingFile.readAllEvents(file));
        events.removeIf(event -> !event.getEventType().getName().equals(EVENT));
        events.sort(Comparator.comparing(RecordedEvent::getEndTime));
        return events;
    }

    private interface Steps {
        void run() throws Exception;
    }

    private static List<String> texts(List<RecordedEvent> events) {
        return events.stream()
                .map(event -> event.getString("phase") + " " + event.getInt("connections"))
                .toList();
    }

    private ServerHandover startWithConnections(ServerHandoverBuilder description) throws Exception {
        ServerHandover server = start(description);
        connect(MANY);
        awaitConnections(server, MANY);
        return server;
    }

    @Test
    void aHandoverAtOnce() throws Exception {
        List<RecordedEvent> events = record(() -> {
            handOver(startWithConnections(echoServer()));
            start();
        });
        assertEquals(
                List.of(
                        "CONNECTING 0",
                        "LISTENING 0",
                        "ADOPTING 0",
                        "RESUMING 0",
                        "STOPPING 0",
                        "RESTING 40",
                        "TAKING_APART 40",
                        "STORING 40",
                        "DRAINING 0",
                        "CONNECTING 0",
                        "LISTENING 0",
                        "ADOPTING 40",
                        "RESUMING 40"),
                texts(events));
        for (int i = 1; i < events.size(); i++) {
            // One phase at a time: each begins when the one before has ended.
            assertTrue(!events.get(i).getStartTime().isBefore(events.get(i - 1).getEndTime()), events::toString);
        }
        assertEquals("Handover Phase", events.get(0).getEventType().getLabel());
        assertEquals(List.of("Escrow"), events.get(0).getEventType().getCategoryNames());
    }

    @Test
    void aHandoverInWaves() throws Exception {
        List<String> texts = texts(record(() -> {
            ServerHandover server = startWithConnections(echoServer().waves(Duration.ofMillis(20)));
            CompletableFuture<Object> waits = new CompletableFuture<>();
            CompletableFuture<ServerHandover> starting =
                    echoServer(escrow().onWaiting(waits::complete)).start();
            waits.join();
            handOver(server);
            add(starting.join());
        }));

        int given = sum(texts, "GIVING_WAVE");
        assertEquals(MANY, given, texts::toString);
        assertEquals(MANY, sum(texts, "TAKING_WAVE"), texts::toString);
        List<String> order = List.of("ESCROWING 40", "STOPPING 0", "MEETING 40");
        assertEquals(order, texts.stream().filter(order::contains).toList());
        assertTrue(texts.indexOf("MEETING 40") < texts.indexOf("GIVING_WAVE 32"), texts::toString);
    }

    private static int sum(List<String> texts, String phase) {
        return texts.stream()
                .filter(text -> text.startsWith(phase))
                .mapToInt(text -> Integer.parseInt(text.substring(phase.length() + 1)))
                .sum();
    }

    @Test
    void aHandoverThatFails() throws Exception {
        List<String> texts = texts(record(() -> {
            ServerHandover server = startWithConnections(echoServer());
            daemon.close();
            server.context().client().closed().toCompletableFuture().join();
            assertThrows(EscrowException.class, () -> handOver(server));
            restartDaemon();
            handOver(server);
        }));
        start();

        assertEquals(
                List.of("GOING_BACK 40", "STOPPING 0", "RESTING 40", "TAKING_APART 40", "STORING 40", "DRAINING 0"),
                texts.subList(4, texts.size()));
    }
}
