package io.escrow.daemon.socket;

import io.escrow.EscrowException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Checks every second whether the daemon's sockets are still at their paths, and puts them there again. What is in the
 * way is logged once and left alone, until the path is free. Has a thread of its own.
 */
public final class SocketWatch implements AutoCloseable {

    private static final Logger logger = LoggerFactory.getLogger(SocketWatch.class);
    private static final long INTERVAL_MILLIS = 1_000;

    private final List<WatchedSocket> sockets;
    private final Map<WatchedSocket, String> complaints = new HashMap<>();
    private final AtomicBoolean paused = new AtomicBoolean();
    private final CountDownLatch closing = new CountDownLatch(1);
    private final Thread thread = new Thread(this::run, "escrowd-watch");

    /** Creates a watch that is not started. */
    public SocketWatch(List<WatchedSocket> sockets) {
        this.sockets = List.copyOf(sockets);
        thread.setDaemon(true);
    }

    /** Starts the thread. */
    public void start() {
        thread.start();
    }

    /** Sets whether to leave the sockets alone. */
    public void pause(boolean pause) {
        paused.set(pause);
    }

    private void run() {
        try {
            while (!closing.await(INTERVAL_MILLIS, TimeUnit.MILLISECONDS)) {
                if (!paused.get()) {
                    sockets.forEach(this::check);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // Nobody interrupts this thread.
        }
    }

    /** Checks one socket. */
    void check(WatchedSocket socket) {
        try {
            if (!socket.isPublished()) {
                socket.publishAgain();
                logger.atWarn().addKeyValue("path", socket.path()).log("socket published again");
            }
            complaints.remove(socket);
        } catch (EscrowException | RuntimeException e) {
            String reason = String.valueOf(e.getMessage());
            if (!reason.equals(complaints.put(socket, reason))) {
                logger.atWarn()
                        .addKeyValue("path", socket.path())
                        .addKeyValue("reason", reason)
                        .log("socket is not at its path");
            }
        }
    }

    /** Ends the thread, and returns when it does nothing more. */
    @Override
    public void close() {
        closing.countDown();
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
