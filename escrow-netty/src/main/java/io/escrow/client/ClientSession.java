package io.escrow.client;

import io.escrow.EscrowConnectionException;
import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.internal.EventLoops;
import io.netty.channel.EventLoopGroup;
import io.netty.handler.codec.DecoderException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Holds the session of a client, and makes it again when it is lost, if the options say so. Runs on one event loop, but
 * for {@link #close}.
 */
final class ClientSession implements RequestHandler.EndListener {

    private static final Logger logger = LoggerFactory.getLogger(ClientSession.class);
    private static final String CLOSED = "the client was closed";

    private final ConnectOptions options;
    private final RequestQueue queue;
    private final EventLoopGroup ownGroup;
    private final CompletableFuture<Void> closed = new CompletableFuture<>();
    /** When the sessions of late were lost. */
    private final Deque<Long> losses = new ArrayDeque<>();

    private int sessions;
    /** Why no further session is made; {@code null} if one is. */
    private String last;

    private volatile Connection connection;
    private volatile CompletableFuture<Connection> connecting;
    private volatile boolean closing;

    /**
     * Begins with a session that is on.
     *
     * @param options how to make another session
     * @param ownGroup is shut down at the end; {@code null} for none
     */
    ClientSession(ConnectOptions options, Connection first, EventLoopGroup ownGroup) {
        this.options = options;
        this.queue = new RequestQueue(first.channel().eventLoop(), options.deleteDelay());
        this.ownGroup = ownGroup;
        queue.sendBy(begin(first)::sendPackets);
    }

    RequestQueue queue() {
        return queue;
    }

    /** Returns the session that is on, or the last one. May be called by any thread. */
    Connection connection() {
        return connection;
    }

    /** Returns how many sessions there have been. */
    int sessions() {
        return sessions;
    }

    /** Completes when the session has ended and no other one is made. */
    CompletableFuture<Void> closed() {
        return closed;
    }

    /** Ends the session for good. May be called by any thread. */
    void close() {
        closing = true;
        CompletableFuture<Connection> attempt = connecting;
        if (attempt != null) {
            attempt.cancel(false);
        }
        queue.hurry();
        connection.channel().close();
    }

    private RequestHandler begin(Connection next) {
        sessions++;
        connection = next;
        RequestHandler handler = new RequestHandler(next, queue, this);
        next.channel().pipeline().addLast(handler);
        return handler;
    }

    @Override
    public boolean lost(String text, Throwable cause) {
        queue.hold();
        last = whyLast(text, cause);
        return last == null;
    }

    /** Returns why no other session follows this one; {@code null} if one does. */
    private String whyLast(String text, Throwable cause) {
        if (closing) {
            return CLOSED;
        } else if (options.reconnect().times() == 0) {
            return text;
        } else if (cause instanceof DecoderException
                || (cause instanceof EscrowException e && e.status() == Status.EPROTO)) {
            return text + "; not connected again, because the next session would end in the same way";
        }
        long now = System.nanoTime();
        Duration within = options.reconnect().within();
        while (!losses.isEmpty() && now - losses.element() > within.toNanos()) {
            losses.remove();
        }
        if (losses.size() == options.reconnect().times()) {
            return text + "; not connected again, because " + losses.size() + " sessions were lost within "
                    + within.toMillis() + " ms before";
        }
        losses.add(now);
        return null;
    }

    @Override
    public void ended(String text, Throwable cause, int inDoubt) {
        if (last == null && closing) {
            // Perhaps by those whose requests have just failed.
            last = CLOSED;
        }
        if (last != null) {
            end(new EscrowConnectionException(last, false, cause));
            return;
        }
        logger.warn("{}: {} requests in doubt, connecting again", text, inDoubt);
        tell(listener -> listener.sessionLost(inDoubt));
        if (sessions == 1) {
            // Between sessions there is no channel that ends with its event loop.
            EventLoops.whenEnded(queue.loop(), closed, this::endedWithLoop);
        }
        connect();
    }

    private void endedWithLoop() {
        if (!closed.isDone()) {
            end(new EscrowConnectionException("the event loop was shut down", false, null));
        }
    }

    private void connect() {
        CompletableFuture<Connection> attempt;
        try {
            attempt = Connector.connectAgain(options, queue.loop());
        } catch (RejectedExecutionException e) {
            end(new EscrowConnectionException("the event loop was shut down", false, e));
            return;
        }
        connecting = attempt;
        if (closing) {
            attempt.cancel(false);
        }
        attempt.whenComplete((next, failure) -> {
            if (queue.loop().inEventLoop()) {
                connected(next, failure);
            } else {
                // Cancelled by the thread that closes the client.
                queue.loop().execute(() -> connected(next, failure));
            }
        });
    }

    private void connected(Connection next, Throwable failure) {
        if (failure != null) {
            String why = closing ? CLOSED : "not connected again: " + failure.getMessage();
            end(new EscrowConnectionException(why, false, failure));
            return;
        }
        RequestHandler handler = begin(next);
        logger.info("connected again to \"{}\"", options.path());
        tell(SessionListener::sessionRegained);
        if (closing) {
            next.channel().close();
        }
        queue.sendBy(handler::sendPackets);
    }

    private void tell(Consumer<SessionListener> event) {
        try {
            event.accept(options.reconnect().listener());
        } catch (RuntimeException e) {
            logger.warn("a listener of sessions has failed", e);
        }
    }

    private void end(EscrowConnectionException why) {
        queue.end(why);
        closed.complete(null);
        if (ownGroup != null) {
            ownGroup.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        }
    }
}
