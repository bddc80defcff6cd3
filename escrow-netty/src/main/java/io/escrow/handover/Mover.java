package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.netty.channel.Channel;
import io.netty.util.concurrent.EventExecutor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
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

/** Hands a server over: rest, take apart, store, let go; or back again. One use, on a thread of its own. */
final class Mover {

    private record Answer(boolean resting, String whyImmovable) {}

    private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(2);

    private final ServerHandover server;
    private final List<Listener> listeners;
    private final long deadline;
    private final Set<Guard> resting = new LinkedHashSet<>();
    private final Map<Guard, SavedChannel> apart = new LinkedHashMap<>();
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
        for (Listener listener : listeners) {
            await(Loops.call(
                    listener.channel().eventLoop(),
                    () -> listener.channel().config().setAutoRead(false)));
            await(Loops.deregister(listener.channel()));
        }
        rest();
        long rested = System.nanoTime();
        takeApart();
        store();
        long stored = System.nanoTime();
        server.client().close();
        await(server.client().closed().toCompletableFuture());
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

    /** Finds the escrow again if the session was lost; then nothing of this server is in it any more. */
    private void reconnect() throws EscrowException {
        if (server.client().closed().toCompletableFuture().isDone()) {
            EscrowClient client = await(server.options().escrow.connect());
            EscrowTable table = new EscrowTable(client, server.options().firstTag);
            await(table.prepare());
            server.connected(client, table);
            server.guards().forEach(guard -> guard.place(null));
            listeners.forEach(listener -> listener.place(null));
        }
    }

    /** Waits until every connection that can be moved is at rest. */
    private void rest() throws EscrowException {
        // What was accepted before the listeners stopped comes up first.
        await(Loops.settle(childLoops()));
        while (true) {
            List<Guard> busy = ask();
            if (busy.isEmpty()) {
                // What a connection does on its loop may end on another's: let that come to its end, and look again.
                await(Loops.settle(childLoops()));
                busy = restless();
                if (busy.isEmpty()) {
                    return;
                }
            }
            if (System.nanoTime() - deadline > 0) {
                throw new EscrowException(
                        Status.ETIMEDOUT,
                        busy.size() + " of " + (busy.size() + resting.size())
                                + " connections did not come to rest in time, one of them "
                                + busy.get(0).channel());
            }
            LockSupport.parkNanos(POLL_NANOS);
        }
    }

    private Set<EventExecutor> childLoops() {
        Set<EventExecutor> loops = new HashSet<>();
        listeners.forEach(listener -> listener.childLoops().forEach(loops::add));
        return loops;
    }

    /** Brings to rest those that can be; returns those that are busy. */
    private List<Guard> ask() throws EscrowException {
        Map<Guard, CompletableFuture<Answer>> answers = new LinkedHashMap<>();
        for (Guard guard : server.guards()) {
            if (!resting.contains(guard) && !staying.containsKey(guard)) {
                answers.put(guard, Loops.call(guard.channel().eventLoop(), () -> ask(guard)));
            }
        }
        List<Guard> busy = new ArrayList<>();
        for (Map.Entry<Guard, CompletableFuture<Answer>> e : answers.entrySet()) {
            Answer answer = await(e.getValue());
            if (answer.resting()) {
                resting.add(e.getKey());
            } else if (answer.whyImmovable() != null) {
                staying.put(e.getKey(), answer.whyImmovable());
            } else {
                busy.add(e.getKey());
            }
        }
        return busy;
    }

    private static Answer ask(Guard guard) {
        String reason = Dismantler.whyImmovable(guard);
        return new Answer(reason == null && guard.tryToRest(), reason);
    }

    /** Lets those go on that are no longer at rest, and returns them. */
    private List<Guard> restless() throws EscrowException {
        Map<Guard, CompletableFuture<Boolean>> answers = new LinkedHashMap<>();
        for (Guard guard : resting) {
            answers.put(
                    guard, Loops.call(guard.channel().eventLoop(), () -> Dismantler.isAtRest(guard) || !guard.goOn()));
        }
        List<Guard> busy = new ArrayList<>();
        for (Map.Entry<Guard, CompletableFuture<Boolean>> e : answers.entrySet()) {
            if (!await(e.getValue())) {
                busy.add(e.getKey());
            }
        }
        busy.forEach(resting::remove);
        return busy;
    }

    private void takeApart() throws EscrowException {
        await(CompletableFuture.allOf(
                resting.stream().map(guard -> Loops.deregister(guard.channel())).toArray(CompletableFuture[]::new)));
        Map<Guard, CompletableFuture<SavedChannel>> saved = new LinkedHashMap<>();
        for (Guard guard : resting) {
            saved.put(
                    guard,
                    Loops.call(
                            guard.channel().eventLoop(),
                            () -> guard.channel().isActive() ? Dismantler.takeApart(guard) : null));
        }
        for (Map.Entry<Guard, CompletableFuture<SavedChannel>> e : saved.entrySet()) {
            SavedChannel channel = await(e.getValue());
            if (channel != null) {
                apart.put(e.getKey(), channel);
            }
        }
    }

    private void store() throws EscrowException {
        EscrowTable table = server.table();
        List<CompletableFuture<?>> stored = new ArrayList<>();
        for (Listener listener : listeners) {
            SavedChannel saved = new SavedChannel(listener.name(), true, Map.of());
            stored.add(
                    listener.place() != null
                            ? table.update(listener.place(), saved).thenAccept(listener::place)
                            : table.put(
                                            table.listenerTag(),
                                            listeners.indexOf(listener),
                                            Loops.descriptor(listener.channel()),
                                            saved)
                                    .thenAccept(listener::place));
        }
        apart.forEach((guard, saved) -> stored.add(
                guard.place() != null
                        ? table.update(guard.place(), saved).thenAccept(guard::place)
                        : table.put(
                                        table.connectionTag(),
                                        table.newConnectionIndex(),
                                        Loops.descriptor(guard.channel()),
                                        saved)
                                .thenAccept(guard::place)));
        for (Guard guard : staying.keySet()) {
            EscrowTable.Place place = guard.place();
            if (place != null) {
                stored.add(table.remove(place));
                guard.place(null);
            }
        }
        await(CompletableFuture.allOf(stored.toArray(CompletableFuture[]::new)));
    }

    private void letGo() throws EscrowException {
        listeners.forEach(Listener::letGo);
        List<CompletableFuture<Void>> gone = new ArrayList<>();
        for (Guard guard : apart.keySet()) {
            gone.add(Loops.call(guard.channel().eventLoop(), () -> {
                guard.letGo();
                return null;
            }));
        }
        await(CompletableFuture.allOf(gone.toArray(CompletableFuture[]::new)));
        server.guards().removeAll(apart.keySet());
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
        boolean connected = !server.client().closed().toCompletableFuture().isDone();
        for (Guard guard : resting) {
            SavedChannel saved = apart.get(guard);
            Loops.call(guard.channel().eventLoop(), () -> {
                guard.comeBack(saved);
                return null;
            });
            if (connected) {
                unstore(guard);
            }
        }
        server.guards().forEach(guard -> Loops.call(guard.channel().eventLoop(), guard::openGate));
        for (Listener listener : listeners) {
            Channel channel = listener.channel();
            if (connected && listener.place() != null && !server.options().crashSafe) {
                server.table().remove(listener.place());
                listener.place(null);
            }
            if (!channel.isRegistered() && channel.isOpen()) {
                channel.eventLoop()
                        .register(channel)
                        .addListener(f -> channel.config().setAutoRead(true));
            } else {
                channel.config().setAutoRead(true);
            }
        }
    }

    private void unstore(Guard guard) {
        EscrowTable.Place place = guard.place();
        if (place == null) {
            return;
        }
        if (server.options().crashSafe) {
            Loops.call(guard.channel().eventLoop(), () -> server.table().update(place, Dismantler.checkpoint(guard)))
                    .thenCompose(updated -> updated)
                    .thenAccept(guard::place);
        } else {
            guard.place(null);
            server.table().remove(place);
        }
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
