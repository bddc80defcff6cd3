package io.escrow.handover;

import io.escrow.EscrowException;
import io.netty.channel.Channel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Hands a server over: rest, take apart, store, let go; or back again. One use, on a thread of its own. */
final class Mover {

    private final ServerHandover server;
    private final List<Listener> listeners;
    private final Deadline deadline;
    private final Batch all;
    private final Map<Guard, String> staying = new LinkedHashMap<>();
    private Succession succession;
    private volatile int atRest;

    private Mover(ServerHandover server, Duration time) {
        this.server = server;
        this.listeners = server.options().listeners;
        this.deadline = new Deadline(time);
        this.all = new Batch(server, deadline);
    }

    static CompletableFuture<HandoverReport> handOver(ServerHandover server, Duration time) {
        CompletableFuture<HandoverReport> result = new CompletableFuture<>();
        Thread thread = new Thread(
                () -> {
                    Mover mover = new Mover(server, time);
                    try {
                        HandoverReport report = mover.run();
                        server.observer().handedOver(report);
                        result.complete(report);
                    } catch (EscrowException | RuntimeException e) {
                        mover.goBack();
                        server.observer().handoverFailed(e);
                        result.completeExceptionally(e);
                    }
                },
                "escrow-handover");
        thread.start();
        return result;
    }

    private HandoverReport run() throws EscrowException {
        final long began = System.nanoTime();
        deadline.await(server.session().regain());
        long restingNanos = 0;
        int moved;
        if (giveInWaves()) {
            restingNanos = succession.restingNanos();
            moved = succession.moved();
        } else {
            stopAccepting();
            final long stopped = System.nanoTime();
            rest();
            restingNanos = System.nanoTime() - stopped;
            Phase.Span takingApart = Phase.TAKING_APART.begin();
            all.takeApart();
            takingApart.end(all.apart().size());
            store();
            // All is acknowledged: from here on there is no way back.
            server.session().end().join();
            all.letGo();
            moved = all.apart().size();
        }
        final Duration took = Duration.ofNanos(System.nanoTime() - began);
        letListenersGo();
        drain();
        List<HandoverReport.Staying> stay = new ArrayList<>();
        staying.forEach((guard, reason) ->
                stay.add(new HandoverReport.Staying(guard.channel().remoteAddress(), reason)));
        Duration resting = Duration.ofNanos(restingNanos);
        return new HandoverReport(listeners.size(), moved, stay, resting, took.minus(resting));
    }

    /** Returns whether a process that waits already has taken everything. */
    private boolean giveInWaves() throws EscrowException {
        if (server.options().wave == null) {
            return false;
        }
        succession = new Succession(server, deadline, staying);
        succession.escrowConnections();
        stopAccepting();
        deadline.await(storeListeners());
        return succession.run();
    }

    /** Lets the listeners go on queueing in the kernel, and those come up that were accepted before. */
    private void stopAccepting() throws EscrowException {
        Phase.Span phase = Phase.STOPPING.begin();
        for (Listener listener : listeners) {
            Channel channel = listener.channel();
            if (channel.isRegistered()) {
                deadline.await(
                        Loops.call(channel.eventLoop(), () -> channel.config().setAutoRead(false)));
                deadline.await(Loops.deregister(channel));
            }
        }
        while (server.arriving() > 0) {
            deadline.pause("accepted connections are not escrowed yet");
        }
        deadline.await(Loops.settle(server.loops()));
        phase.end(0);
    }

    private void rest() throws EscrowException {
        Phase.Span phase = Phase.RESTING.begin();
        ProgressTicker ticker = new ProgressTicker(
                server.client().eventLoop(),
                server.options().onProgress,
                Progress.Step.RESTING,
                () -> atRest,
                server.connections());
        try {
            awaitRest();
            phase.end(all.resting());
        } finally {
            ticker.stop();
        }
    }

    /** Waits until every connection that can be moved is at rest. */
    private void awaitRest() throws EscrowException {
        List<Guard> asked = List.copyOf(server.guards());
        while (true) {
            List<Guard> busy = all.ask(asked);
            staying.putAll(all.immovable());
            atRest = all.resting();
            if (busy.isEmpty()) {
                busy = all.restless();
                if (busy.isEmpty()) {
                    return;
                }
            }
            deadline.pause(busy.size() + " of " + (busy.size() + all.resting())
                    + " connections did not come to rest in time, one of them "
                    + busy.get(0).channel());
            asked = busy;
        }
    }

    private CompletableFuture<Void> storeListeners() {
        return CompletableFuture.allOf(
                listeners.stream().map(listener -> listener.store(true)).toArray(CompletableFuture[]::new));
    }

    private void store() throws EscrowException {
        Phase.Span phase = Phase.STORING.begin();
        List<CompletableFuture<Void>> stored = new ArrayList<>();
        stored.add(storeListeners());
        all.apart().forEach((guard, saved) -> stored.add(guard.slot().store(Loops.descriptor(guard.channel()), saved)));
        staying.keySet().forEach(guard -> stored.add(guard.slot().remove()));
        ProgressTicker ticker = ProgressTicker.follow(
                server.client().eventLoop(), server.options().onProgress, Progress.Step.STORING, stored);
        try {
            deadline.await(CompletableFuture.allOf(stored.toArray(CompletableFuture[]::new)));
            phase.end(all.apart().size());
        } finally {
            ticker.stop();
        }
    }

    private void letListenersGo() {
        for (Listener listener : listeners) {
            Loops.call(listener.channel().eventLoop(), () -> {
                        listener.letGo();
                        return null;
                    })
                    .join();
        }
    }

    private void drain() {
        Phase.Span phase = Phase.DRAINING.begin();
        List<CompletableFuture<Void>> ends = new ArrayList<>();
        for (Guard guard : staying.keySet()) {
            Channel channel = guard.channel();
            CompletableFuture<Void> end = new CompletableFuture<>();
            channel.closeFuture().addListener(f -> end.complete(null));
            channel.eventLoop().execute(() -> channel.pipeline().fireUserEventTriggered(HandoverEvent.DRAINING));
            channel.eventLoop()
                    .schedule(() -> channel.close(), server.options().drain.toNanos(), TimeUnit.NANOSECONDS);
            ends.add(end);
        }
        CompletableFuture.allOf(ends.toArray(CompletableFuture[]::new)).whenComplete((nothing, failure) -> {
            phase.end(ends.size());
            server.drainedFuture().complete(null);
        });
    }

    /** Serves again, as if nothing had been asked. */
    private void goBack() {
        Phase.Span phase = Phase.GOING_BACK.begin();
        Loops.settle(server.loops()).join();
        CompletableFuture<Void> back = Batch.comeBack(server.guards());
        listeners.stream().map(listener -> accept(listener.channel())).toList().forEach(CompletableFuture::join);
        back.join();
        phase.end(server.connections());
        server.escrowing(server.options().crashSafe);
        if (succession != null) {
            succession.abandon();
        }
        // This is for the escrow alone: the session may be lost, so that it fails.
        for (Listener listener : listeners) {
            warn(
                    server.options().crashSafe
                            ? listener.store(false)
                            : listener.slot().remove());
        }
        for (Guard guard : server.guards()) {
            warn(
                    server.options().crashSafe
                            ? Loops.call(guard.channel().eventLoop(), () -> ServerHandover.checkpoint(guard))
                                    .thenCompose(stored -> stored)
                            : guard.slot().remove());
        }
    }

    private static CompletableFuture<Void> accept(Channel listener) {
        CompletableFuture<Void> accepting = new CompletableFuture<>();
        if (listener.isRegistered() || !listener.isOpen()) {
            listener.config().setAutoRead(true);
            accepting.complete(null);
        } else {
            listener.eventLoop().register(listener).addListener(f -> {
                listener.config().setAutoRead(true);
                accepting.complete(null);
            });
        }
        return accepting;
    }

    private void warn(CompletableFuture<Void> request) {
        request.exceptionally(failure -> {
            server.logger().debug("after a handover that failed: {}", failure.getMessage());
            return null;
        });
    }
}
