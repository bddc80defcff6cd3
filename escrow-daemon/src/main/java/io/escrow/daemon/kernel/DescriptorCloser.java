package io.escrow.daemon.kernel;

import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutor;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Closes descriptors for the event loop, which must never wait: closing the last descriptor of a connection with {@code
 * SO_LINGER} waits until its peer has received everything. The option can't be switched off before, because other
 * processes may share it; and asking for it would take as long as closing.
 *
 * <p>Closings are collected for a moment, so that few of them wake a thread, and a thread that runs takes what comes meanwhile.
 * While it waits for a peer, others close what comes behind: as soon as there is another batch for each of them.
 */
public final class DescriptorCloser implements Executor, AutoCloseable {

    /** How many connections may linger at a time before they delay the closing of others. */
    static final int THREADS = 16;

    private static final int IDLE_SECONDS = 10;

    /** How many closings wake a thread before their moment is over. */
    static final int BATCH = 256;

    private static final int MOMENT_MILLIS = 5;
    private static final int PATIENCE_SECONDS = 1;
    private static final int CATCH_UP_MILLIS = 100;
    private static final int LOOK_NANOS = 20_000;

    private final EventExecutor timer;
    private final Queue<Runnable> closings = new ConcurrentLinkedQueue<>();
    private final AtomicInteger waiting = new AtomicInteger();
    private final AtomicInteger busy = new AtomicInteger();
    private final AtomicBoolean timed = new AtomicBoolean();
    private final ThreadPoolExecutor threads = new ThreadPoolExecutor(
            THREADS,
            THREADS,
            IDLE_SECONDS,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            new DefaultThreadFactory("escrowd-closing", true),
            (task, ended) -> task.run());

    /**
     * Creates an object without threads.
     *
     * @param timer tells when a moment is over; may end before this
     */
    public DescriptorCloser(EventExecutor timer) {
        this.timer = timer;
        threads.allowCoreThreadTimeOut(true);
    }

    /** Runs a closing soon. Any thread may call this. */
    @Override
    public void execute(Runnable closing) {
        closings.add(closing);
        int count = waiting.incrementAndGet();
        if (count % BATCH == 0 && count / BATCH > busy.get()) {
            wakeThread();
        } else if (timed.compareAndSet(false, true)) {
            waitMoment();
        }
    }

    /** Returns how many closings wait for a thread. Any thread may call this. */
    public int waiting() {
        return waiting.get();
    }

    /** Waits until no closing waits for a thread; not longer than 100 ms, if all threads wait for peers that linger. */
    public void catchUp() {
        wakeThread();
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(CATCH_UP_MILLIS);
        while (waiting.get() > 0 && System.nanoTime() < end) {
            LockSupport.parkNanos(LOOK_NANOS);
        }
    }

    private void waitMoment() {
        try {
            timer.schedule(this::momentOver, MOMENT_MILLIS, TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            timed.set(false);
            wakeThread();
        }
    }

    private void momentOver() {
        timed.set(false);
        if (!closings.isEmpty()) {
            wakeThread();
            // The thread may have to wait for a peer. Then the next one goes on.
            if (timed.compareAndSet(false, true)) {
                waitMoment();
            }
        }
    }

    private void wakeThread() {
        busy.incrementAndGet();
        threads.execute(this::closeAll);
    }

    private void closeAll() {
        try {
            for (Runnable closing = closings.poll(); closing != null; closing = closings.poll()) {
                waiting.decrementAndGet();
                closing.run();
            }
        } finally {
            busy.decrementAndGet();
        }
    }

    /** Waits until everything is closed, but not long for peers; closings that come later are run at once. */
    @Override
    public void close() {
        for (int i = 0; i < THREADS; i++) {
            wakeThread();
        }
        threads.shutdown();
        try {
            threads.awaitTermination(PATIENCE_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
