package io.escrow.daemon;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import org.hawkular.agent.prometheus.text.TextPrometheusMetricDataParser;
import org.hawkular.agent.prometheus.types.Counter;
import org.hawkular.agent.prometheus.types.Gauge;
import org.hawkular.agent.prometheus.types.Histogram;
import org.hawkular.agent.prometheus.types.Metric;
import org.hawkular.agent.prometheus.types.MetricFamily;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a monitoring system is told, as one reads it that scrapes over HTTP. */
class MetricsIT {

    @TempDir
    Path directory;

    private final HttpClient http = HttpClient.newHttpClient();
    private String address;

    private HttpResponse<String> get(String path) throws Exception {
        HttpRequest request =
                HttpRequest.newBuilder(URI.create("http://" + address + path)).build();
        return http.send(request, HttpResponse.BodyHandlers.ofString());
    }

    private Map<String, MetricFamily> scrape() throws Exception {
        HttpResponse<String> response = get("/metrics");
        assertEquals(200, response.statusCode());
        assertEquals(
                "text/plain; version=0.0.4; charset=utf-8",
                response.headers().firstValue("content-type").orElseThrow());
        return parse(response.body());
    }

    private static Map<String, MetricFamily> parse(String text) throws IOException {
        TextPrometheusMetricDataParser parser =
                new TextPrometheusMetricDataParser(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)));
        Map<String, MetricFamily> families = new LinkedHashMap<>();
        for (MetricFamily family = parser.parse(); family != null; family = parser.parse()) {
            families.put(family.getName(), family);
        }
        return families;
    }

    /** Returns the values of a metric, by its labels. */
    private static Map<Map<String, String>, Double> values(Map<String, MetricFamily> families, String name) {
        assertNotNull(families.get(name), () -> name + " is not among " + families.keySet());
        return families.get(name).getMetrics().stream().collect(Collectors.toMap(Metric::getLabels, MetricsIT::value));
    }

    private static double value(Metric metric) {
        return metric instanceof Counter counter ? counter.getValue() : ((Gauge) metric).getValue();
    }

    private static double value(Map<String, MetricFamily> families, String name) {
        return values(families, name).get(Map.of());
    }

    private static Histogram histogram(Map<String, MetricFamily> families, String name) {
        return (Histogram) families.get(name).getMetrics().get(0);
    }

    @Test
    void tellWhatWasDone() throws Exception {
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
        // So that a stranger with the wrong path gets there by a command for operators.
        Path path = directory.resolve("s.ctl");
        List<String> command = TestDaemon.command("--metrics=0", "--mode=0666", "--max-slots=3", path.toString());
        try (TestDaemon daemon = TestDaemon.start(path, new ProcessBuilder(command))) {
            String line = daemon.awaitLine(l -> l.contains("serving metrics"), "serving metrics");
            address = line.replaceFirst(".* address=\"/?(127\\.0\\.0\\.1:\\d+)\".*", "$1");
            boolean refused = refuseStranger();
            CompletableFuture<EscrowClient> next;
            try (TestFiles files = new TestFiles(directory.resolve("files"), 2);
                    BlockingEscrow escrow = daemon.connect()) {
                next = daemon.client().connect();
                use(escrow, files);
                await().until(() -> value(scrape(), "escrowd_waiting_clients") == 1);
                assertHeld(scrape());
            }
            next.join().close();
            await().until(() -> value(scrape(), "escrowd_session_active") == 0);
            assertSessions(scrape(), refused ? 1 : 0);
            assertOnlyMetricsAreServed();
            assertEquals(
                    scrape().keySet(),
                    parse(String.join("\n", TestOperator.run(0, "metrics", path.toString())) + "\n")
                            .keySet());
            try (BlockingEscrow escrow = daemon.connect()) {
                escrow.delete(1, 0);
            }
        }
    }

    private boolean refuseStranger() throws IOException {
        Path jar = TestOperator.jarForNobody(directory);
        if (jar == null) {
            return false;
        }
        assertEquals(
                List.of("escrowd ctl status: EPROTO: not an HTTP response: the process at this socket is not escrowd"),
                TestOperator.runAsNobody(
                        jar, 1, "status", directory.resolve("s").toString()));
        return true;
    }

    private static void use(BlockingEscrow escrow, TestFiles files) throws IOException {
        escrow.add(1, 0, files.get(0), new byte[10]);
        escrow.add(1, 1, files.get(1), new byte[10]);
        escrow.add(7, 0, new byte[100]);
        assertThrows(EscrowException.class, () -> escrow.add(7, 1, new byte[0]));
        escrow.update(7, 0, new byte[50]);
        try (Entry entry = escrow.get(1, 0)) {
            assertTrue(entry.hasDescriptor());
        }
        assertThrows(EscrowException.class, () -> escrow.get(7, 1));
        assertThrows(EscrowException.class, () -> escrow.get(7, 2));
        escrow.delete(1, 1);
        escrow.tag(1);
        escrow.list(1);
    }

    private static Map<Map<String, String>, Double> byTag(double first, double seventh) {
        return Map.of(Map.of("tag", "1"), first, Map.of("tag", "7"), seventh);
    }

    private static void assertHeld(Map<String, MetricFamily> metrics) {
        assertEquals(1, value(metrics, "escrowd_session_active"));
        assertEquals(byTag(1, 1), values(metrics, "escrowd_slots"));
        assertEquals(byTag(1, 0), values(metrics, "escrowd_descriptors"));
        assertEquals(byTag(10, 50), values(metrics, "escrowd_payload_bytes"));
        assertEquals(3, value(metrics, "escrowd_slots_limit"));
        assertEquals(
                Map.of(
                        Map.of("request", "add", "outcome", "OK"), 3.0,
                        Map.of("request", "add", "outcome", "ENOSPC"), 1.0,
                        Map.of("request", "update", "outcome", "OK"), 1.0,
                        Map.of("request", "get", "outcome", "OK"), 1.0,
                        Map.of("request", "get", "outcome", "ENOENT"), 2.0,
                        Map.of("request", "delete", "outcome", "OK"), 1.0,
                        Map.of("request", "tag", "outcome", "OK"), 1.0,
                        Map.of("request", "list", "outcome", "OK"), 1.0),
                values(metrics, "escrowd_requests_total"));
        assertEquals(0, histogram(metrics, "escrowd_session_seconds").getSampleCount());
        assertTrue(value(metrics, "process_open_fds") > 10);
        assertTrue(value(metrics, "process_max_fds") >= value(metrics, "process_open_fds"));
        double started = value(metrics, "process_start_time_seconds");
        double now = Instant.now().toEpochMilli() / 1e3;
        assertTrue(started <= now && started > now - 3_600, "started: " + started);
    }

    private static void assertSessions(Map<String, MetricFamily> metrics, int refused) {
        assertEquals(2, value(metrics, "escrowd_sessions_total"));
        assertEquals(0, value(metrics, "escrowd_waiting_clients"));
        assertEquals(refused, value(metrics, "escrowd_clients_refused_total"));
        assertEquals(0, value(metrics, "escrowd_sessions_evicted_total"));
        for (String name : List.of("escrowd_queue_seconds", "escrowd_session_seconds")) {
            Histogram times = histogram(metrics, name);
            assertEquals(2, times.getSampleCount());
            assertTrue(times.getSampleSum() >= 0 && times.getSampleSum() < 120, "sum: " + times.getSampleSum());
            Histogram.Bucket last = times.getBuckets().get(times.getBuckets().size() - 1);
            assertEquals(Double.POSITIVE_INFINITY, last.getUpperBound());
            assertEquals(2, last.getCumulativeCount());
        }
        assertTrue(histogram(metrics, "escrowd_session_seconds").getSampleSum() > 0);
    }

    private void assertOnlyMetricsAreServed() throws Exception {
        for (String path : List.of("/", "/status", "/slots", "/metrics/x")) {
            HttpResponse<String> response = get(path);
            assertEquals(404, response.statusCode());
            assertEquals(
                    "{\"status\":\"ENOENT\",\"message\":\"no such request (expected: GET /metrics)\"}\n",
                    response.body());
        }
        assertEquals(200, get("/metrics?x=y").statusCode());
        HttpRequest delete = HttpRequest.newBuilder(URI.create("http://" + address + "/session"))
                .DELETE()
                .build();
        assertEquals(
                404, http.send(delete, HttpResponse.BodyHandlers.ofString()).statusCode());
    }
}
