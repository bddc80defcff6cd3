package io.escrow.internal;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.epoll.EpollChannelConfig;
import io.netty.channel.epoll.EpollMode;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.UnixChannel;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.FutureListener;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import java.util.function.Function;

/** Runs tasks on the event loops of channels. */
public final class EventLoops {

    private static final long POLL_MILLIS = 100;

    private EventLoops() {}

    /**
     * Calls a task on an event loop.
     *
     * @return a future of its result; fails with whatever the task throws, and with a {@link RejectedExecutionException} if the
     *     event loop has ended
     */
    public static <T> CompletableFuture<T> call(EventExecutor loop, Callable<T> task) {
        CompletableFuture<T> result = new CompletableFuture<>();
        try {
            loop.execute(() -> {
                try {
                    result.complete(task.call());
                } catch (Throwable e) {
                    result.completeExceptionally(e);
                }
            });
        } catch (RejectedExecutionException e) {
            result.completeExceptionally(e);
        }
        return result;
    }

    /**
     * Does something for each of many items on the event loop of its channel, in one task for each loop.
     *
     * @return a future of the results, without those that are {@code null}
     */
    public static <K, T> CompletableFuture<Results<K, T>> forEach(
            Collection<K> items, Function<K, Channel> channel, Function<K, T> action) {
        CompletableFuture<Results<K, T>> all = CompletableFuture.completedFuture(new Results<>());
        for (Map.Entry<EventExecutor, List<K>> e : byLoop(items, channel).entrySet()) {
            CompletableFuture<Results<K, T>> some = call(e.getKey(), () -> {
                Results<K, T> results = new Results<>();
                for (K item : e.getValue()) {
                    T result = action.apply(item);
                    if (result != null) {
                        results.add(item, result);
                    }
                }
                return results;
            });
            all = all.thenCombine(some, Results::and);
        }
        return all;
    }

    /** Does something for each of many items, as {@link #forEach} does, of which nothing is to be known afterwards. */
    public static <K> CompletableFuture<Void> run(
            Collection<K> items, Function<K, Channel> channel, Consumer<K> action) {
        return CompletableFuture.allOf(byLoop(items, channel).entrySet().stream()
                .map(e -> call(e.getKey(), () -> {
                    e.getValue().forEach(action);
                    return null;
                }))
                .toArray(CompletableFuture[]::new));
    }

    private static <K> Map<EventExecutor, List<K>> byLoop(Collection<K> items, Function<K, Channel> channel) {
        Map<EventExecutor, List<K>> byLoop = new LinkedHashMap<>();
        items.forEach(item -> byLoop.computeIfAbsent(channel.apply(item).eventLoop(), loop -> new ArrayList<>())
                .add(item));
        return byLoop;
    }

    /** Waits until everything that some event loops had to do, and what that led to, is done. */
    public static CompletableFuture<Void> settle(Collection<EventExecutor> loops) {
        return settle(loops, 2);
    }

    /**
     * Waits until some executors, each of which runs its tasks in order, have all had some turns: in each, they do what they
     * had to do when it began.
     *
     * @param turns how often a task may hand on to another executor until all is done
     * @return a future that fails if one of the executors was shut down
     */
    public static CompletableFuture<Void> settle(Collection<EventExecutor> executors, int turns) {
        CompletableFuture<Void> settled = turn(executors);
        for (int i = 1; i < turns; i++) {
            settled = settled.thenCompose(nothing -> turn(executors));
        }
        return settled;
    }

    private static CompletableFuture<Void> turn(Collection<EventExecutor> executors) {
        try {
            return CompletableFuture.allOf(executors.stream()
                    .map(executor -> CompletableFuture.runAsync(() -> {}, executor))
                    .toArray(CompletableFuture[]::new));
        } catch (RejectedExecutionException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    /**
     * Has epoll report what a channel can do for as long as it can, and not once. Netty 4.2 knows no other way. 4.1 reports
     * once, and a channel that leaves something unread then learns of it no more.
     *
     * @param channel a channel that is not registered yet
     * @return the channel
     */
    @SuppressWarnings("deprecation") // in 4.2 it does nothing
    public static <C extends Channel> C levelTriggered(C channel) {
        if (channel.config() instanceof EpollChannelConfig config
                && config.getEpollMode() != EpollMode.LEVEL_TRIGGERED) {
            config.setEpollMode(EpollMode.LEVEL_TRIGGERED);
        }
        return channel;
    }

    /** Returns the descriptor of a channel, still the channel's. */
    public static FileDescriptor descriptor(Channel channel) {
        return ((UnixChannel) channel).fd();
    }

    /** Takes a channel off its event loop; it stays open. */
    public static CompletableFuture<Void> deregister(Channel channel) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        channel.deregister().addListener(f -> done.complete(null));
        return done;
    }

    /**
     * Closes a channel when its event loop has ended, past its handlers. Netty closes those only that are registered when the
     * loop finds that it is shut down: not those that come later, and none if a task of the loop shuts it down without a quiet
     * period.
     *
     * @param channel a channel that has an event loop
     */
    public static void closeWithLoop(Channel channel) {
        Future<?> end = channel.eventLoop().terminationFuture();
        FutureListener<Object> close = ended -> closeDescriptor(channel);
        end.addListener(close);
        channel.closeFuture().addListener(closed -> end.removeListener(close));
    }

    /** Closes the socket of a channel whose event loop has ended, if it is open. By any thread: nobody else uses it any more. */
    public static void closeDescriptor(Channel channel) {
        try {
            descriptor(channel).close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Waits until a channel is registered, or bound. It is closed with its event loop from now on.
     *
     * @param opening what a bootstrap has returned
     * @return why the channel is not open; {@code null} if it is
     */
    public static Throwable awaitOpen(ChannelFuture opening) {
        if (opening.cause() == null) {
            closeWithLoop(opening.channel());
        }
        // When the loop has ended, the future may never be done.
        boolean done;
        do {
            done = opening.awaitUninterruptibly(POLL_MILLIS);
        } while (!done && opening.channel().isOpen());
        return opening.isDone() ? opening.cause() : new RejectedExecutionException("its event loop has ended");
    }

    /** Completes a future, with {@code null}, when an event loop has ended, unless it is done before. */
    public static <T> CompletableFuture<T> orEnd(CompletableFuture<T> future, EventExecutor loop) {
        whenEnded(loop, future, () -> future.complete(null));
        return future;
    }

    /** Runs a task when an event loop has ended, unless a future is done before: the loop may live much longer. */
    public static void whenEnded(EventExecutor loop, CompletableFuture<?> unless, Runnable task) {
        Future<?> end = loop.terminationFuture();
        FutureListener<Object> listener = ended -> task.run();
        end.addListener(listener);
        unless.whenComplete((result, failure) -> end.removeListener(listener));
    }
}
