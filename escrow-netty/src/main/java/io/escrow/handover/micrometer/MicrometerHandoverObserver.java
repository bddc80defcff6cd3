package io.escrow.handover.micrometer;

import io.escrow.handover.HandoverObserver;
import io.escrow.handover.HandoverReport;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.StartReport;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;

/**
 * Counts and times in Micrometer what happens to a server. All meters are there from the start, with zeros.
 *
 * <table>
 * <caption>Meters</caption>
 * <tr><th>name</th><th>type</th><th>what</th></tr>
 * <tr><td>{@code escrow.handover.pause}</td><td>timer</td><td>the pause of each connection that was handed over to this
 * process</td></tr>
 * <tr><td>{@code escrow.queue.wait}</td><td>timer</td><td>the times in the escrow's queue</td></tr>
 * <tr><td>{@code escrow.handovers}</td><td>counter, by {@code outcome}: {@code success}, {@code failure}</td><td>handovers
 * by this process</td></tr>
 * <tr><td>{@code escrow.connections.adopted}</td><td>counter, by {@code after}: {@code handover}, {@code crash}</td>
 * <td>connections that were taken over at the start</td></tr>
 * <tr><td>{@code escrow.connections.refused}</td><td>counter</td><td>what the escrow held and was given
 * up</td></tr>
 * <tr><td>{@code escrow.connections.left}</td><td>counter</td><td>what this version could not take over, and left for
 * another</td></tr>
 * <tr><td>{@code escrow.connections.moved}</td><td>counter</td><td>connections that were handed over</td></tr>
 * <tr><td>{@code escrow.connections.staying}</td><td>counter</td><td>connections that were drained instead</td></tr>
 * <tr><td>{@code escrow.session.lost}, {@code escrow.session.regained}</td><td>counters</td><td>sessions with the
 * escrow</td></tr>
 * <tr><td>{@code escrow.connections}</td><td>gauge, after {@link #watch}</td><td>open connections</td></tr>
 * </table>
 */
public final class MicrometerHandoverObserver implements HandoverObserver {

    private final MeterRegistry registry;
    private final Iterable<Tag> tags;
    private final Timer pause;
    private final Timer queueWait;
    private final Counter succeeded;
    private final Counter failed;
    private final Counter adopted;
    private final Counter foundAfterCrash;
    private final Counter refused;
    private final Counter left;
    private final Counter moved;
    private final Counter staying;
    private final Counter sessionLost;
    private final Counter sessionRegained;

    /**
     * Registers the meters.
     *
     * @param registry where
     */
    public MicrometerHandoverObserver(MeterRegistry registry) {
        this(registry, Tags.empty());
    }

    /**
     * Registers the meters with tags of the caller's, which tell several servers of a process apart.
     *
     * @param registry where
     * @param tags added to each meter
     */
    public MicrometerHandoverObserver(MeterRegistry registry, Iterable<Tag> tags) {
        this.registry = registry;
        this.tags = tags;
        pause = timer(
                "escrow.handover.pause", "How long connections that were handed over to this process were not read");
        queueWait = timer("escrow.queue.wait", "How long this process waited in the escrow's queue");
        succeeded = counter("escrow.handovers", "Handovers by this process", Tag.of("outcome", "success"));
        failed = counter("escrow.handovers", "Handovers by this process", Tag.of("outcome", "failure"));
        adopted = counter(
                "escrow.connections.adopted", "Connections taken over at the start", Tag.of("after", "handover"));
        foundAfterCrash =
                counter("escrow.connections.adopted", "Connections taken over at the start", Tag.of("after", "crash"));
        refused = counter("escrow.connections.refused", "What the escrow held and was given up");
        left = counter("escrow.connections.left", "What this version could not take over, and left for another");
        moved = counter("escrow.connections.moved", "Connections handed over");
        staying = counter("escrow.connections.staying", "Connections drained instead of handed over");
        sessionLost = counter("escrow.session.lost", "Sessions with the escrow that were lost");
        sessionRegained = counter("escrow.session.regained", "Sessions with the escrow that were regained");
    }

    private Timer timer(String name, String description) {
        return Timer.builder(name).description(description).tags(tags).register(registry);
    }

    private Counter counter(String name, String description, Tag... more) {
        return Counter.builder(name)
                .description(description)
                .tags(tags)
                .tags(Tags.of(more))
                .register(registry);
    }

    /**
     * Registers the gauge {@code escrow.connections}: how many connections a server has open.
     *
     * @param server the server; may be garbage-collected, then there is no value any more
     */
    public void watch(ServerHandover server) {
        Gauge.builder("escrow.connections", server, ServerHandover::connections)
                .description("Open connections")
                .tags(tags)
                .register(registry);
    }

    @Override
    public void queued(Duration waited) {
        queueWait.record(waited);
    }

    @Override
    public void paused(Duration time) {
        pause.record(time);
    }

    @Override
    public void started(StartReport report) {
        adopted.increment(report.adopted());
        foundAfterCrash.increment(report.foundAfterCrash());
        refused.increment(report.refused().size());
        left.increment(report.left().size());
    }

    @Override
    public void handedOver(HandoverReport report) {
        succeeded.increment();
        moved.increment(report.connections());
        staying.increment(report.staying().size());
    }

    @Override
    public void handoverFailed(Throwable reason) {
        failed.increment();
    }

    @Override
    public void sessionLost() {
        sessionLost.increment();
    }

    @Override
    public void sessionRegained() {
        sessionRegained.increment();
    }
}
