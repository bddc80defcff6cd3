package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.escrow.handover.connection.AdoptedConnection;
import io.escrow.internal.EventLoops;
import io.escrow.internal.Futures;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;

/**
 * Makes adopted connections this server's own in the escrow, so that no other process starts from what was saved. They go on when that is
 * sent: the escrow does it, whatever becomes of this process. Used by the thread of the start.
 */
final class ConnectionSettler {

    /** Waits until all of some requests are sent. */
    private static final class Sending {
        private final CompletableFuture<Void> all = new CompletableFuture<>();
        private final AtomicInteger left;

        Sending(int count) {
            left = new AtomicInteger(count);
            if (count == 0) {
                all.complete(null);
            }
        }

        /** Counts one of them when it is sent, or else when it is done: there may be nothing to send, or no session. */
        private final class One implements Runnable, BiConsumer<Void, Throwable> {
            private boolean counted;

            @Override
            public void run() {
                if (isFirst() && left.decrementAndGet() == 0) {
                    all.complete(null);
                }
            }

            private synchronized boolean isFirst() {
                boolean first = !counted;
                counted = true;
                return first;
            }

            @Override
            public void accept(Void done, Throwable failure) {
                run();
            }
        }
    }

    private final HandoverContext server;

    /** What the escrow has been told, and has not answered yet, or not well. */
    private final List<CompletableFuture<Void>> settling = new ArrayList<>();

    ConnectionSettler(HandoverContext server) {
        this.server = server;
    }

    /**
     * Settles connections. When this returns, all is sent that can be; of a connection whose keys are in its slot it is answered.
     *
     * @return the connections whose keys may still be in the escrow: they must not go on
     */
    Set<AdoptedConnection> settle(List<HeldConnection> held) {
        Sending sending = new Sending(held.size());
        Map<AdoptedConnection, CompletableFuture<Void>> ofKeys = new LinkedHashMap<>();
        together(() -> {
            for (HeldConnection each : held) {
                Sending.One one = sending.new One();
                CompletableFuture<Void> settled = settle(each.connection(), one);
                settled.whenComplete(one);
                settling.add(settled);
                if (each.hasKeysInSlot()) {
                    ofKeys.put(each.connection(), settled);
                }
            }
        });
        sending.all.join();
        settling.removeIf(settled -> settled.isDone() && !settled.isCompletedExceptionally());
        Set<AdoptedConnection> notSettled = new LinkedHashSet<>();
        ofKeys.forEach((connection, settled) -> {
            if (mayStillBeFilled(settled)) {
                notSettled.add(connection);
            }
        });
        return notSettled;
    }

    /** Asks on the event loop of the client, so that all goes into few packets: only some may be on their way at a time. */
    private void together(Runnable asking) {
        EscrowClient client = server.client();
        AtomicBoolean asked = new AtomicBoolean();
        if (client != null) {
            CompletableFuture<Void> done = EventLoops.call(client.eventLoop(), () -> {
                asked.set(true);
                asking.run();
                return null;
            });
            try {
                EventLoops.orEnd(done, client.eventLoop()).join();
            } catch (CompletionException e) {
                if (asked.get()) {
                    throw e;
                }
            }
        }
        if (!asked.get()) {
            // There is no session, or its event loop has ended with it.
            asking.run();
        }
    }

    private CompletableFuture<Void> settle(AdoptedConnection connection, Runnable onSent) {
        return server.configuration().crashSafe()
                ? connection.slot().store(null, connection.settled(), onSent)
                : connection.slot().remove(onSent);
    }

    private static boolean mayStillBeFilled(CompletableFuture<Void> removal) {
        EscrowException failure = removal.handle((nothing, e) -> e == null ? null : Futures.toEscrowException(e))
                .join();
        return failure != null && failure.status() != Status.ENOENT;
    }

    /** Waits until the escrow has answered, whatever it says. */
    void await() {
        CompletableFuture.allOf(settling.toArray(CompletableFuture[]::new))
                .exceptionally(failure -> {
                    HandoverLog.LOGGER.warn("not all connections are settled in the escrow: {}", failure.getMessage());
                    return null;
                })
                .join();
        settling.clear();
    }
}
