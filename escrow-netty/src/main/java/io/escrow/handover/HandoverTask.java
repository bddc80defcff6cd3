package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.handover.connection.Connection;
import io.escrow.handover.protocol.HandoverEvent;
import io.escrow.internal.EventLoops;
import io.escrow.internal.Futures;
import io.netty.channel.Channel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;

/** Hands a server over: rest, take apart, store, let go; or back again. One use, on a thread of its own. */
final class HandoverTask {

    private static final Logger logger = HandoverLog.LOGGER;

    /** How long before its end the peer of a connection that is drained is told. */
    private static final long LAST_WORD_NANOS = TimeUnit.SECONDS.toNanos(5);

    /** For how long a handover that has failed waits until the keys of TLS connections are out of the escrow. */
    private static final Duration TAKING_BACK = Duration.ofSeconds(5);

    private final HandoverContext server;
    private final List<Listener> listeners;
    private final Deadline deadline;
    private final CompletableFuture<Void> drained;
    private final ConnectionBatch all;
    private final AtomicReference<WaveHandover> unfinished;
    private final Map<Connection, String> staying;
    private WaveHandover waves;
    private volatile int atRest;

    private HandoverTask(
            HandoverContext server,
            Deadline deadline,
            CompletableFuture<Void> drained,
            AtomicReference<WaveHandover> unfinished) {
        this.server = server;
        this.unfinished = unfinished;
        this.waves = goesOnWith(unfinished.get());
        this.staying = waves == null ? new LinkedHashMap<>() : waves.staying();
        this.listeners = server.listeners().stream().filter(Listener::isOpen).toList();
        this.deadline = deadline;
        this.drained = drained;
        this.all = new ConnectionBatch(server, deadline);
    }

    /**
     * Starts a handover.
     *
     * @param drained done when the connections that stay have ended
     * @param unfinished where a handover in waves leaves itself that is not done in time
     * @return a future of the report; it fails when the server goes on
     */
    static CompletableFuture<HandoverReport> handOver(
            HandoverContext server,
            Deadline deadline,
            CompletableFuture<Void> drained,
            AtomicReference<WaveHandover> unfinished) {
        RehearsalTime.PROCESS.end();
        // Before the caller goes on, and lets its framework close the listeners.
        server.listeners().forEach(Listener::beginHandover);
        try {
            HandoverTask task = new HandoverTask(server, deadline, drained, unfinished);
            CompletableFuture<HandoverReport> result = new CompletableFuture<>();
            new Thread(() -> task.run(result), "escrow-handover").start();
            return result;
        } catch (Throwable e) {
            // There is no thread for it, for instance.
            server.listeners().forEach(Listener::comeBack);
            throw e;
        }
    }

    private static WaveHandover goesOnWith(WaveHandover unfinished) {
        return unfinished != null && unfinished.canGoOn() ? unfinished : null;
    }

    private void run(CompletableFuture<HandoverReport> result) {
        HandoverReport report;
        try {
            report = run();
        } catch (Throwable e) {
            fail(result, Futures.toEscrowException(e));
            return;
        }
        // Whatever can't be told: it is done.
        try {
            ReportLog.handedOver(report);
            server.observer().handedOver(report);
        } finally {
            result.complete(report);
        }
    }

    private void fail(CompletableFuture<HandoverReport> result, EscrowException failure) {
        try {
            goBack();
        } catch (Throwable notBack) {
            failure.addSuppressed(notBack);
            logger.error("not everything goes on after a handover that failed", notBack);
        } finally {
            try {
                ReportLog.failed(failure);
                server.observer().handoverFailed(failure);
            } finally {
                result.completeExceptionally(failure);
            }
        }
    }

    private HandoverReport run() throws EscrowException {
        final long began = System.nanoTime();
        server.seal().sealer().reload();
        long restingNanos = 0;
        int moved;
        if (giveInWaves()) {
            restingNanos = waves.restingNanos();
            moved = waves.moved();
        } else {
            // What a process could not take that has gone meanwhile is tried anew.
            staying.clear();
            stopAccepting();
            final long stopped = System.nanoTime();
            rest();
            restingNanos = System.nanoTime() - stopped;
            Phase.Span takingApart = Phase.TAKING_APART.begin();
            all.takeApart();
            all.keepFailed(staying::put);
            all.checkMostApart();
            takingApart.end(all.apart().size());
            store();
            // All is acknowledged: from here on there is no way back.
            server.session().end().join();
            afterwards(() -> all.letGo().join());
            // The next process may have taken some in waves before it died.
            moved = all.apart().size() + (waves == null ? 0 : waves.moved());
        }
        final Duration took = Duration.ofNanos(System.nanoTime() - began);
        server.tickets().end();
        listeners.forEach(listener -> afterwards(() -> letGo(listener)));
        server.crashStore().close();
        // What stays is not stored any more.
        server.seal().sealer().destroy();
        drain();
        List<HandoverReport.Staying> stay = new ArrayList<>();
        staying.forEach((connection, reason) ->
                stay.add(new HandoverReport.Staying(connection.channel().remoteAddress(), reason)));
        Duration resting = Duration.ofNanos(restingNanos);
        return new HandoverReport(listeners.size(), moved, stay, resting, took.minus(resting));
    }

    /** Returns whether a process that waits already has taken everything. */
    private boolean giveInWaves() throws EscrowException {
        if (waves != null) {
            stopAccepting();
            return waves.goOn(deadline);
        }
        deadline.await(server.session().regain());
        if (server.configuration().wave() == null) {
            return false;
        }
        waves = new WaveHandover(server, deadline, staying);
        waves.escrowConnections();
        stopAccepting();
        deadline.await(storeListeners());
        return waves.run();
    }

    /** Lets the listeners go on queueing in the kernel, and those come up that were accepted before. */
    private void stopAccepting() throws EscrowException {
        Phase.Span phase = Phase.STOPPING.begin();
        for (Listener listener : listeners) {
            if (listener.channel().isRegistered()) {
                deadline.await(listener.stopAccepting());
            }
        }
        while (server.connections().arriving() > 0) {
            deadline.pause("accepted connections are not escrowed yet");
        }
        deadline.await(EventLoops.settle(server.loops()));
        phase.end(0);
    }

    private void rest() throws EscrowException {
        Phase.Span phase = Phase.RESTING.begin();
        ProgressTicker ticker = new ProgressTicker(
                server.client().eventLoop(),
                server.configuration().onProgress(),
                Progress.Step.RESTING,
                () -> atRest,
                server.connections().all().size());
        try {
            awaitRest();
            phase.end(all.resting());
        } finally {
            ticker.stop();
        }
    }

    /** Waits until every connection that can be moved is at rest. */
    private void awaitRest() throws EscrowException {
        Collection<Connection> asked = List.copyOf(server.connections().all());
        while (true) {
            Map<Connection, String> busy = all.ask(asked);
            all.keepFailed(staying::put);
            staying.putAll(all.immovable());
            atRest = all.resting();
            if (busy.isEmpty()) {
                busy = all.restless();
                all.keepFailed(staying::put);
                if (busy.isEmpty()) {
                    return;
                }
            }
            deadline.pause(all.late(busy));
            asked = busy.keySet();
        }
    }

    private CompletableFuture<Void> storeListeners() {
        List<CompletableFuture<Void>> stored = new ArrayList<>();
        listeners.forEach(listener -> stored.add(listener.store(true)));
        stored.add(server.tickets().store());
        return CompletableFuture.allOf(stored.toArray(CompletableFuture[]::new));
    }

    private void store() throws EscrowException {
        Phase.Span phase = Phase.STORING.begin();
        List<CompletableFuture<Void>> stored = new ArrayList<>();
        stored.add(storeListeners());
        all.apart()
                .forEach((connection, saved) ->
                        stored.add(connection.slot().store(EventLoops.descriptor(connection.channel()), saved)));
        staying.keySet().forEach(connection -> stored.add(connection.slot().remove()));
        ProgressTicker ticker = ProgressTicker.follow(
                server.client().eventLoop(), server.configuration().onProgress(), Progress.Step.STORING, stored);
        try {
            deadline.await(CompletableFuture.allOf(stored.toArray(CompletableFuture[]::new)));
            // What is clean needs no marks.
            deadline.await(server.crashStore().removeMarks().exceptionally(notThere -> null));
            phase.end(all.apart().size());
        } finally {
            ticker.stop();
        }
    }

    /** Does something when the next process has everything: what fails then does not make the handover fail. */
    private static void afterwards(Runnable step) {
        try {
            step.run();
        } catch (Throwable e) {
            logger.warn("after the server was handed over", e);
        }
    }

    private static void letGo(Listener listener) {
        EventLoops.call(listener.channel().eventLoop(), () -> {
                    listener.letGo();
                    return null;
                })
                .join();
    }

    private void drain() {
        Phase.Span phase = Phase.DRAINING.begin();
        List<CompletableFuture<Void>> ends = new ArrayList<>();
        for (Connection connection : staying.keySet()) {
            CompletableFuture<Void> end = new CompletableFuture<>();
            connection.channel().closeFuture().addListener(f -> end.complete(null));
            drain(connection);
            ends.add(end);
        }
        CompletableFuture.allOf(ends.toArray(CompletableFuture[]::new)).whenComplete((nothing, failure) -> {
            phase.end(ends.size());
            drained.complete(null);
        });
    }

    /** Lets a connection be finished. Its peer has the last part of the time to answer to the last word. */
    private void drain(Connection connection) {
        Channel channel = connection.channel();
        long drain = server.configuration().drain().toNanos();
        try {
            channel.eventLoop().execute(() -> channel.pipeline().fireUserEventTriggered(HandoverEvent.DRAINING));
            channel.eventLoop()
                    .schedule(
                            () -> connection.end().thenRun(channel::close),
                            drain - Math.min(drain / 10, LAST_WORD_NANOS),
                            TimeUnit.NANOSECONDS);
            channel.eventLoop().schedule(() -> channel.close(), drain, TimeUnit.NANOSECONDS);
        } catch (Throwable e) {
            logger.warn("{} can't be drained, and is closed: {}", channel, e.toString());
            channel.close();
        }
    }

    /** Serves again, as if nothing had been asked. */
    private void goBack() {
        Phase.Span phase = Phase.GOING_BACK.begin();
        try {
            takeKeysBack();
            serveAgain();
            phase.end(server.connections().all().size());
        } finally {
            server.connections().setEscrowing(server.configuration().crashSafe());
            if (waves == null) {
                restoreSlots();
            } else {
                unfinished.set(waves);
                waves.abandon(this::restoreSlots);
            }
        }
    }

    /**
     * Takes the keys of TLS connections out of the escrow before anything more is encrypted with them here: whoever finds them there
     * goes on with the same numbers. Connections whose keys may stay there are given up.
     */
    private void takeKeysBack() {
        Map<Connection, CompletableFuture<Void>> removed = new LinkedHashMap<>();
        all.apart().forEach((connection, saved) -> {
            if (saved.hasKeys()) {
                removed.put(connection, connection.slot().remove());
            }
        });
        Deadline patience = new Deadline(TAKING_BACK);
        removed.forEach((connection, removal) -> {
            try {
                patience.await(removal);
            } catch (EscrowException e) {
                if (e.status() != Status.ENOENT) {
                    logger.warn(
                            "{} is given up: its TLS keys may be in the escrow for the next process: {}",
                            connection.channel(),
                            e.text());
                    EventLoops.call(connection.channel().eventLoop(), () -> giveUp(connection))
                            .join();
                }
            }
        });
    }

    private static Void giveUp(Connection connection) {
        connection.channel().unsafe().close(connection.channel().voidPromise());
        return null;
    }

    private void serveAgain() {
        EventLoops.settle(server.loops()).join();
        CompletableFuture<Void> back =
                ConnectionBatch.comeBack(server.connections().all());
        server.listeners().stream().map(Listener::comeBack).toList().forEach(CompletableFuture::join);
        back.join();
    }

    /** Makes the escrow hold what it holds of a server that runs. */
    private void restoreSlots() {
        // This is for the escrow alone: the session may be lost, so that it fails.
        if (server.configuration().crashSafe()) {
            warn(server.crashStore().storeMarks());
        }
        for (Listener listener : listeners) {
            warn(
                    server.configuration().crashSafe()
                            ? listener.store(false)
                            : listener.slot().remove());
        }
        warn(server.tickets().settle());
        for (Connection connection : server.connections().all()) {
            warn(
                    server.configuration().crashSafe()
                            ? EventLoops.call(
                                            connection.channel().eventLoop(),
                                            () -> Connections.storeForCrash(connection))
                                    .thenCompose(stored -> stored)
                            : connection.slot().remove());
        }
    }

    private void warn(CompletableFuture<Void> request) {
        request.exceptionally(failure -> {
            logger.debug("after a handover that failed: {}", failure.getMessage());
            return null;
        });
    }
}
