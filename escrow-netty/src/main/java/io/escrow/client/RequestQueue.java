package io.escrow.client;

import io.escrow.EscrowConnectionException;
import io.escrow.EscrowException;
import io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Keeps the requests of a client, in order, until they are sent. Outlives its connections.
 *
 * <p>Any thread may call {@link #submit}, {@link #submitSoon} and {@link #hurry}. Everything else happens on the event loop.
 */
final class RequestQueue {

    private final EventLoop loop;
    private final long soonNanos;
    private final Queue<RequestSource> submitted = new ConcurrentLinkedQueue<>();
    private final AtomicBoolean scheduled = new AtomicBoolean();
    private final AtomicBoolean timed = new AtomicBoolean();

    private final Queue<RequestSource> waiting = new ArrayDeque<>();
    private Request next;
    /** Sends what waits; {@code null} between two connections. */
    private Runnable sender;

    private volatile EscrowConnectionException ended;

    /**
     * Makes an empty queue.
     *
     * @param soon how long requests wait that are not urgent, unless others are sent before; 0 to send them at once
     */
    RequestQueue(EventLoop loop, Duration soon) {
        this.loop = loop;
        this.soonNanos = soon.toNanos();
    }

    EventLoop loop() {
        return loop;
    }

    /** Adds requests to the end. Requests that are submitted while packets are under way go into the next one. */
    void submit(RequestSource source) {
        submitted.add(source);
        schedule();
    }

    private void schedule() {
        if (scheduled.compareAndSet(false, true)) {
            try {
                loop.execute(this::takeSubmitted);
            } catch (RejectedExecutionException e) {
                scheduled.set(false);
                rejected(e);
            }
        }
    }

    /**
     * Adds requests to the end that need not be sent at once: they go with what is submitted by others, or after a
     * moment.
     */
    void submitSoon(RequestSource source) {
        if (soonNanos == 0) {
            submit(source);
            return;
        }
        submitted.add(source);
        EscrowConnectionException why = ended;
        if (why != null) {
            // The event loop may be about to end, and forgets what is to run later.
            failSubmitted(why);
            return;
        }
        // When a turn is scheduled, it has not looked yet.
        if (!scheduled.get() && timed.compareAndSet(false, true)) {
            try {
                loop.schedule(this::soon, soonNanos, TimeUnit.NANOSECONDS);
            } catch (RejectedExecutionException e) {
                timed.set(false);
                rejected(e);
            }
        }
    }

    private void soon() {
        timed.set(false);
        takeSubmitted();
    }

    /** Sends what waits to be sent soon. */
    void hurry() {
        if (loop.inEventLoop()) {
            takeSubmitted();
        } else if (timed.get()) {
            schedule();
        }
    }

    private void rejected(RejectedExecutionException e) {
        EscrowConnectionException why = ended;
        failSubmitted(why == null ? new EscrowConnectionException("the event loop was shut down", false, e) : why);
    }

    private void takeSubmitted() {
        scheduled.set(false);
        if (ended != null) {
            failSubmitted(ended);
            return;
        }
        for (RequestSource source = submitted.poll(); source != null; source = submitted.poll()) {
            waiting.add(source);
        }
        if (sender != null) {
            sender.run();
        }
    }

    /** Lets a connection send what waits, and what will be submitted. */
    void sendBy(Runnable sendPackets) {
        sender = sendPackets;
        sendPackets.run();
    }

    /** Keeps everything until there is another connection. */
    void hold() {
        sender = null;
    }

    /** Returns the next request without taking it, or {@code null}. */
    Request peek() {
        if (next != null && next.isAbandoned()) {
            next = null;
        }
        while (next == null && !waiting.isEmpty()) {
            next = waiting.element().next();
            if (next == null) {
                waiting.remove();
            }
        }
        return next;
    }

    /** Takes the request that {@link #peek} has returned. */
    void take() {
        next = null;
    }

    /** Fails everything that is not sent, and what will be submitted. */
    void end(EscrowConnectionException why) {
        sender = null;
        ended = why;
        if (next != null) {
            next.fail(why);
            next = null;
        }
        for (RequestSource source = waiting.poll(); source != null; source = waiting.poll()) {
            source.fail(why);
        }
        failSubmitted(why);
    }

    private void failSubmitted(EscrowException why) {
        for (RequestSource source = submitted.poll(); source != null; source = submitted.poll()) {
            source.fail(why);
        }
    }
}
