package io.escrow.daemon.control;

import io.escrow.control.StandbyView;
import io.escrow.control.StatusView;
import io.escrow.daemon.events.DurationHistogram;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.snapshots.ClassicHistogramBuckets;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot.GaugeDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot.HistogramDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.InfoSnapshot;
import io.prometheus.metrics.model.snapshots.InfoSnapshot.InfoDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;

/** Writes the metrics of the daemon for Prometheus. Their names are listed in docs/operations.md. */
final class Metrics {

    static final String CONTENT_TYPE = PrometheusTextFormatWriter.CONTENT_TYPE;

    private final List<MetricSnapshot> metrics = new ArrayList<>();

    private Metrics() {}

    static byte[] text(ControlService.Figures figures) {
        Metrics metrics = new Metrics();
        metrics.addHeld(figures.status());
        metrics.addStandby(figures.status().standby());
        metrics.addCounters(figures.status().counters());
        metrics.add("escrowd_queue_seconds", "How long clients have waited for their sessions.", figures.queueTimes());
        metrics.add(
                "escrowd_session_seconds",
                "How long sessions lasted, from the start to the end.",
                figures.sessionTimes());
        metrics.addProcess(figures.status());
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        try {
            PrometheusTextFormatWriter.create().write(text, new MetricSnapshots(metrics.metrics));
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory failed", e);
        }
        return text.toByteArray();
    }

    private void addHeld(StatusView status) {
        gauge("escrowd_session_active", "Whether there is a session.", status.session() == null ? 0 : 1);
        gauge("escrowd_waiting_clients", "Clients that wait in the queue.", status.waiting());
        byTag("escrowd_slots", "Used slots.", status, StatusView.TagView::slots);
        byTag("escrowd_descriptors", "Held descriptors.", status, StatusView.TagView::descriptors);
        byTag("escrowd_payload_bytes", "Held payloads and farewells.", status, StatusView.TagView::payloadBytes);
        gauge("escrowd_slots_limit", "Largest number of used slots.", status.maxSlots());
        gauge("escrowd_descriptors_limit", "Largest number of held descriptors.", status.maxDescriptors());
        gauge("escrowd_payload_limit_bytes", "Largest sum of payloads and farewells.", (double)
                status.maxPayloadBytes());
    }

    private void addStandby(StandbyView standby) {
        gauge(
                "escrowd_standby_wanted",
                "Whether a standby was asked for.",
                standby != null && standby.wanted() ? 1 : 0);
        gauge(
                "escrowd_standby_in_step",
                "Whether a standby has everything.",
                standby != null && standby.inStep() ? 1 : 0);
        gauge(
                "escrowd_standby_behind_changes",
                "Changes that the standby has not acknowledged.",
                standby == null ? 0 : standby.changesBehind());
        gauge(
                "escrowd_standby_behind_bytes",
                "Size of these changes.",
                standby == null ? 0 : (double) standby.bytesBehind());
    }

    private void addCounters(StatusView.Counters counters) {
        counter("escrowd_sessions", "Sessions that have begun.", counters.sessions());
        counter("escrowd_clients_refused", "Clients without access.", counters.refused());
        counter("escrowd_sessions_timed_out", "Sessions ended by a timeout.", counters.timedOut());
        counter("escrowd_sessions_evicted", "Sessions ended by an operator.", counters.evicted());
        counter("escrowd_slots_expired", "Slots closed because no client claimed them.", counters.expired());
        counter("escrowd_slots_reaped", "Slots freed because their peer had gone.", counters.reaped());
        counter("escrowd_slots_removed", "Slots emptied by an operator.", counters.removed());
        counter("escrowd_log_lines_dropped", "Lines of the log that nobody read in time.", counters.logLinesDropped());
        CounterSnapshot.Builder requests =
                CounterSnapshot.builder().name("escrowd_requests").help("Requests by kind and outcome.");
        counters.requests()
                .forEach((request, outcomes) ->
                        outcomes.forEach((outcome, count) -> requests.dataPoint(CounterDataPointSnapshot.builder()
                                .labels(Labels.of("request", request, "outcome", outcome))
                                .value(count)
                                .build())));
        metrics.add(requests.build());
    }

    /** Adds the metrics of the process, under the names that are common to all programs. */
    private void addProcess(StatusView status) {
        metrics.add(InfoSnapshot.builder()
                .name("escrowd")
                .help("Version of escrowd.")
                .dataPoint(InfoDataPointSnapshot.builder()
                        .labels(Labels.of("version", status.version()))
                        .build())
                .build());
        gauge("process_open_fds", "Open files.", status.openFiles());
        gauge("process_max_fds", "Largest number of open files.", (double) status.maxOpenFiles());
        gauge(
                "process_start_time_seconds",
                "Start time, in seconds since 1970.",
                Instant.parse(status.startedAt()).toEpochMilli() / 1e3);
        ProcessHandle.current()
                .info()
                .totalCpuDuration()
                .ifPresent(time -> metrics.add(CounterSnapshot.builder()
                        .name("process_cpu_seconds")
                        .help("Processor time.")
                        .dataPoint(CounterDataPointSnapshot.builder()
                                .value(time.toMillis() / 1e3)
                                .build())
                        .build()));
    }

    private void gauge(String name, String help, double value) {
        metrics.add(GaugeSnapshot.builder()
                .name(name)
                .help(help)
                .dataPoint(GaugeDataPointSnapshot.builder().value(value).build())
                .build());
    }

    private void byTag(String name, String help, StatusView status, ToDoubleFunction<StatusView.TagView> value) {
        GaugeSnapshot.Builder gauge = GaugeSnapshot.builder().name(name).help(help);
        for (StatusView.TagView tag : status.tags()) {
            gauge.dataPoint(GaugeDataPointSnapshot.builder()
                    .labels(Labels.of("tag", Integer.toString(tag.tag())))
                    .value(value.applyAsDouble(tag))
                    .build());
        }
        metrics.add(gauge.build());
    }

    private void counter(String name, String help, long value) {
        metrics.add(CounterSnapshot.builder()
                .name(name)
                .help(help)
                .dataPoint(
                        CounterDataPointSnapshot.builder().value((double) value).build())
                .build());
    }

    private void add(String name, String help, DurationHistogram.Counted times) {
        metrics.add(HistogramSnapshot.builder()
                .name(name)
                .help(help)
                .dataPoint(HistogramDataPointSnapshot.builder()
                        .classicHistogramBuckets(ClassicHistogramBuckets.of(times.bounds(), times.counts()))
                        .sum(times.sum())
                        .build())
                .build());
    }
}
