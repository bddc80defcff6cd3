package io.escrow.handover;

import io.netty.channel.Channel;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.UnixChannel;
import io.netty.util.concurrent.EventExecutor;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/** Does things on the event loops of channels. */
final class Loops {

    private Loops() {}

    /** Calls something on an event loop. */
    static <T> CompletableFuture<T> call(EventExecutor loop, Callable<T> task) {
        CompletableFuture<T> result = new CompletableFuture<>();
        loop.execute(() -> {
            try {
                result.complete(task.call());
            } catch (Exception e) {
                result.completeExceptionally(e);
            }
        });
        return result;
    }

    /** Does something for each of many connections on its event loop, in one go for each loop. */
    static <T> CompletableFuture<Map<Guard, T>> forEach(Collection<Guard> guards, Function<Guard, T> action) {
        Map<EventExecutor, List<Guard>> byLoop = new LinkedHashMap<>();
        guards.forEach(guard -> byLoop.computeIfAbsent(guard.channel().eventLoop(), loop -> new ArrayList<>())
                .add(guard));
        CompletableFuture<Map<Guard, T>> all = CompletableFuture.completedFuture(new LinkedHashMap<>());
        for (Map.Entry<EventExecutor, List<Guard>> e : byLoop.entrySet()) {
            CompletableFuture<Map<Guard, T>> some = call(e.getKey(), () -> {
                Map<Guard, T> results = new LinkedHashMap<>();
                e.getValue().forEach(guard -> results.put(guard, action.apply(guard)));
                return results;
            });
            all = all.thenCombine(some, (sum, results) -> {
                sum.putAll(results);
                return sum;
            });
        }
        return all;
    }

    /** Waits until everything that some event loops had to do, and what that led to, is done. */
    static CompletableFuture<Void> settle(Collection<EventExecutor> loops) {
        return turn(loops).thenCompose(nothing -> turn(loops));
    }

    private static CompletableFuture<Void> turn(Collection<EventExecutor> loops) {
        return CompletableFuture.allOf(loops.stream()
                .map(loop -> CompletableFuture.runAsync(() -> {}, loop))
                .toArray(CompletableFuture[]::new));
    }

    /** Returns the descriptor of a channel, still the channel's. */
    static FileDescriptor descriptor(Channel channel) {
        return ((UnixChannel) channel).fd();
    }

    /** Takes a channel off its event loop; it stays open. */
    static CompletableFuture<Void> deregister(Channel channel) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        channel.deregister().addListener(f -> done.complete(null));
        return done;
    }
}
