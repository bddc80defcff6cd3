package io.escrow.handover;

import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.ImmediateEventExecutor;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.IntSupplier;
import org.slf4j.Logger;
import org.slf4j.event.Level;

/** Calls a listener four times a second with how far a step has come, and once more when it is done. */
final class ProgressTicker {

    private static final int PERIOD_MILLIS = 250;

    private static final Logger logger = HandoverLog.LOGGER;

    private final Consumer<Progress> listener;
    private final Progress.Step step;
    private final IntSupplier done;
    private final int total;
    private final Future<?> ticking;
    private final AtomicBoolean failed = new AtomicBoolean();

    ProgressTicker(EventLoop loop, Consumer<Progress> listener, Progress.Step step, IntSupplier done, int total) {
        this.listener = listener;
        this.step = step;
        this.done = done;
        this.total = total;
        this.ticking = schedule(loop);
    }

    private Future<?> schedule(EventLoop loop) {
        try {
            return loop.scheduleWithFixedDelay(this::tell, PERIOD_MILLIS, PERIOD_MILLIS, TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            // The session has ended, and its event loop with it. The step itself finds out, and says so better.
            return ImmediateEventExecutor.INSTANCE.newFailedFuture(e);
        }
    }

    /** Follows requests that were made already. */
    static ProgressTicker follow(
            EventLoop loop,
            Consumer<Progress> listener,
            Progress.Step step,
            List<? extends CompletableFuture<?>> requests) {
        return new ProgressTicker(
                loop,
                listener,
                step,
                () -> (int) requests.stream().filter(CompletableFuture::isDone).count(),
                requests.size());
    }

    private void tell() {
        try {
            listener.accept(new Progress(step, done.getAsInt(), total));
        } catch (Throwable e) {
            logger.atLevel(failed.getAndSet(true) ? Level.DEBUG : Level.WARN)
                    .setCause(e)
                    .log("the listener for the progress of this server has failed");
        }
    }

    void stop() {
        ticking.cancel(false);
        tell();
    }
}
