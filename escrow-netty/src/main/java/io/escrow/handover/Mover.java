package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.netty.channel.Channel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/** Hands a server over: rest, take apart, store, let go; or back again. One use, on a thread of its own. */
final class Mover {

    private record Answer(boolean resting, String whyImmovable) {}

    private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    private final ServerHandover server;
    private final List<Listener> listeners;
    private final long deadline;
    private final Set<Guard> resting = new LinkedHashSet<>();
    private final Map<Guard, SavedChannel> apart = new LinkedHashMap<>();
    private volatile int atRest;
    private final Map<Guard, String> staying = new LinkedHashMap<>();

    private Mover(ServerHandover server, Duration time) {
        this.server = server;
        this.listeners = server.options().listeners;
        this.deadline = System.nanoTime() + time.toNanos();
    }

    static CompletableFuture<HandoverReport> handOver(ServerHandover server, Duration time) {
        CompletableFuture<HandoverReport> result = new CompletableFuture<>();
        Thread thread = new Thread(
                () -> {
                    Mover mover = new Mover(server, time);
                    try {
                        result.complete(mover.run());
                    } catch (EscrowException | RuntimeException e) {
                        mover.goBack();
                        result.completeExceptionally(e);
                    }
                },
                "escrow-handover");
        thread.start();
        return result;
    }

    private HandoverReport run() throws EscrowException {
        final long began = System.nanoTime();
        reconnect();
        stopAccepting();
        rest();
        final long rested = System.nanoTime();
        takeApart();
        store();
        final long stored = System.nanoTime();
        // All is acknowledged: from here on there is no way back.
        server.client().close();
        server.client().closed().toCompletableFuture().join();
        letGo();
        drain();
        List<HandoverReport.Staying> stay = new ArrayList<>();
        staying.forEach((guard, reason) ->
                stay.add(new HandoverReport.Staying(guard.channel().remoteAddress(), reason)));
        return new HandoverReport(
                listeners.size(),
                apart.size(),
                stay,
                Duration.ofNanos(rested - began),
                Duration.ofNanos(stored - rested));
    }

    /** Finds the escrow again if the session was lost. */
    private void reconnect() throws EscrowException {
        if (!server.client().closed().toCompletableFuture().isDone()) {
            return;
        }
        EscrowClient client = await(server.options().escrow.connect());
        EscrowTable table = new EscrowTable(client, server.options().firstTag);
        // If the escrow lives on, it has what this server had stored.
        Stream<Slot> slots = Stream.concat(
                listeners.stream().map(Listener::slot), server.guards().stream().map(Guard::slot));
        List<CompletableFuture<Void>> forgotten = slots.map(Slot::place)
                .map(place -> place.thenCompose(
                                old -> old == null ? CompletableFuture.<Void>completedFuture(null) : table.remove(old))
                        .exceptionally(failure -> null))
                .toList();
        await(CompletableFuture.allOf(forgotten.toArray(CompletableFuture[]::new)));
        await(table.prepare());
        server.connected(client, table);
        server.guards().forEach(guard -> guard.slot(table.newConnectionSlot()));
        listeners.forEach(listener -> listener.slot(table.newListenerSlot()));
    }

    /** Lets the listeners go on queueing in the kernel, and those come up that were accepted before. */
    private void stopAccepting() throws EscrowException {
        for (Listener listener : listeners) {
            Channel channel = listener.channel();
            await(Loops.call(channel.eventLoop(), () -> channel.config().setAutoRead(false)));
            await(Loops.deregister(channel));
        }
        while (server.arriving() > 0) {
            pause("accepted connections are not escrowed yet");
        }
        await(Loops.settle(server.loops()));
    }

    private void rest() throws EscrowException {
        ProgressTicker ticker = new ProgressTicker(
                server.client().eventLoop(),
                server.options().onProgress,
                Progress.Step.RESTING,
                () -> atRest,
                server.connections());
        try {
            awaitRest();
        } finally {
            ticker.stop();
        }
    }

    /** Waits until every connection that can be moved is at rest. */
    private void awaitRest() throws EscrowException {
        while (true) {
            List<Guard> busy = ask();
            atRest = resting.size();
            if (busy.isEmpty()) {
                // What a connection does on its loop may end on another's: let that come to its end, and look again.
                await(Loops.settle(server.loops()));
                busy = restless();
                if (busy.isEmpty()) {
                    return;
                }
            }
            pause(busy.size() + " of " + (busy.size() + resting.size())
                    + " connections did not come to rest in time, one of them "
                    + busy.get(0).channel());
        }
    }

    /** Brings to rest those that can be; returns those that are busy. */
    private List<Guard> ask() throws EscrowException {
        List<Guard> asked = server.guards().stream()
                .filter(guard -> !resting.contains(guard) && !staying.containsKey(guard))
                .toList();
        List<Guard> busy = new ArrayList<>();
        await(Loops.forEach(asked, Mover::ask)).forEach((guard, answer) -> {
            if (answer.resting()) {
                resting.add(guard);
            } else if (answer.whyImmovable() != null) {
                staying.put(guard, answer.whyImmovable());
            } else if (guard.channel().isActive()) {
                busy.add(guard);
            }
        });
        return busy;
    }

    private static Answer ask(Guard guard) {
        String reason = Dismantler.whyImmovable(guard);
        return new Answer(reason == null && guard.tryToRest(), reason);
    }

    /** Lets those go on that are no longer at rest, and returns them. */
    private List<Guard> restless() throws EscrowException {
        List<Guard> busy = new ArrayList<>();
        await(Loops.forEach(resting, guard -> {
                    boolean still = !guard.channel().isActive() || Dismantler.isAtRest(guard);
                    if (!still) {
                        guard.goOn();
                    }
                    return still;
                }))
                .forEach((guard, still) -> {
                    if (!still) {
                        busy.add(guard);
                    }
                });
        busy.forEach(resting::remove);
        return busy;
    }

    private void takeApart() throws EscrowException {
        await(Loops.forEach(resting, guard -> guard.channel().deregister()));
        // Netty does it a little later.
        await(Loops.settle(server.loops()));
        await(Loops.forEach(resting, Guard::takeApart)).forEach((guard, saved) -> {
            if (saved != null) {
                apart.put(guard, saved);
            }
        });
    }

    private void store() throws EscrowException {
        List<CompletableFuture<Void>> stored = new ArrayList<>();
        listeners.forEach(listener -> stored.add(listener.store(true)));
        apart.forEach((guard, saved) -> stored.add(guard.slot().store(Loops.descriptor(guard.channel()), saved)));
        staying.keySet().forEach(guard -> stored.add(guard.slot().remove()));
        ProgressTicker ticker = ProgressTicker.follow(
                server.client().eventLoop(), server.options().onProgress, Progress.Step.STORING, stored);
        try {
            await(CompletableFuture.allOf(stored.toArray(CompletableFuture[]::new)));
        } finally {
            ticker.stop();
        }
    }

    private void letGo() {
        for (Listener listener : listeners) {
            Loops.call(listener.channel().eventLoop(), () -> {
                        listener.letGo();
                        return null;
                    })
                    .join();
        }
        server.guards().removeAll(apart.keySet());
        Loops.forEach(apart.keySet(), guard -> {
                    guard.letGo();
                    return null;
                })
                .join();
    }

    private void drain() {
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
        CompletableFuture.allOf(ends.toArray(CompletableFuture[]::new))
                .whenComplete((nothing, failure) -> server.drainedFuture().complete(null));
    }

    /** Serves again, as if nothing had been asked. */
    private void goBack() {
        Loops.settle(server.loops()).join();
        List<CompletableFuture<Void>> back = new ArrayList<>();
        for (Guard guard : server.guards()) {
            back.add(Loops.call(guard.channel().eventLoop(), guard::comeBack).thenCompose(done -> done));
        }
        listeners.forEach(listener -> back.add(accept(listener.channel())));
        CompletableFuture.allOf(back.toArray(CompletableFuture[]::new)).join();
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

    /** Waits a moment, unless the time is up. */
    private void pause(String what) throws EscrowException {
        if (System.nanoTime() - deadline > 0) {
            throw new EscrowException(Status.ETIMEDOUT, what);
        }
        LockSupport.parkNanos(POLL_NANOS);
    }

    private <T> T await(CompletableFuture<T> future) throws EscrowException {
        try {
            return future.get(Math.max(1, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new EscrowException(Status.ETIMEDOUT, "the handover was not done in time", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new EscrowException(Status.ETIMEDOUT, "the handover was interrupted", e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof EscrowException cause) {
                throw cause;
            }
            throw new EscrowException(Status.EINVAL, "the handover failed: " + e.getCause(), e.getCause());
        }
    }
}
