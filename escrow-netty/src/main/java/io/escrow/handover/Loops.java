package io.escrow.handover;

import io.netty.channel.Channel;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.UnixChannel;
import io.netty.util.concurrent.EventExecutor;
import java.util.Collection;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;

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
