package io.escrow.daemon.follow;

import io.escrow.daemon.events.FailureDetector;
import io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** Looks now and then whether a follower still carries out what it is sent: one that is stopped must not stop the clients, too. */
final class Progress {

    private final FrameQueue queue;
    private final EventLoop loop;
    private final FailureDetector failures;
    private final Duration patience;
    private final Consumer<String> stopped;
    private long acknowledgedBefore;
    private long sentBefore;
    private boolean ended;

    /**
     * Creates an object that does not look yet.
     *
     * @param patience how long the follower may acknowledge nothing; it is found out within twice that time
     * @param stopped is told when it did so
     */
    Progress(FrameQueue queue, EventLoop loop, FailureDetector failures, Duration patience, Consumer<String> stopped) {
        this.queue = queue;
        this.loop = loop;
        this.failures = failures;
        this.patience = patience;
        this.stopped = stopped;
    }

    /** Looks from now on. */
    void begin() {
        loop.schedule(failures.guard(this::look), patience.toMillis(), TimeUnit.MILLISECONDS);
    }

    /** Looks no more. */
    void end() {
        ended = true;
    }

    private void look() {
        if (ended) {
            return;
        }
        // What was sent a moment ago may not be acknowledged yet.
        if (queue.acknowledged() == acknowledgedBefore && acknowledgedBefore < sentBefore) {
            stopped.accept("the other escrowd has acknowledged nothing for " + patience.toSeconds() + " s");
            return;
        }
        acknowledgedBefore = queue.acknowledged();
        sentBefore = queue.sent();
        begin();
    }
}
