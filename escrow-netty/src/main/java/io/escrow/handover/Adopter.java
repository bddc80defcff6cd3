package io.escrow.handover;

import io.escrow.Entry;
import io.escrow.SlotKey;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelSlot;
import io.netty.channel.Channel;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/** Makes live connections of stored ones. Used by the thread of the start. */
final class Adopter {

    /** A connection that is put together, and held. */
    record Held(Guard guard, SlotKey slot, ChannelRecord saved) {}

    /** What became of a connection: why it can't go on, or when it went on. */
    private record Outcome(Throwable failure, long millis) {}

    private final ServerHandover server;
    private final Consumer<String> refused;
    private final List<Duration> pauses = new ArrayList<>();
    private int adopted;
    private int foundAfterCrash;

    /** Adopts for a server; what can't be adopted is told, by any thread. */
    Adopter(ServerHandover server, Consumer<String> refused) {
        this.server = server;
        this.refused = refused;
    }

    /** Returns how many connections go on that were handed over. */
    int adopted() {
        return adopted;
    }

    /** Returns how long each of those was at rest of which it is known. */
    List<Duration> pauses() {
        return pauses;
    }

    /** Returns how many connections go on that were found after a crash. */
    int foundAfterCrash() {
        return foundAfterCrash;
    }

    /** Makes a held connection of an entry, as it was stored; of {@code null} when it is refused. */
    CompletableFuture<Held> assemble(Entry entry) {
        SlotKey slot = new SlotKey(entry.tag(), entry.index());
        return server.table()
                .read(entry)
                .thenCompose(saved -> assemble(entry, saved))
                .exceptionally(failure -> {
                    entry.close();
                    refuse(slot, failure);
                    server.table().discard(slot);
                    return null;
                });
    }

    /** Makes a held connection of an entry; of {@code null} when it is refused. */
    CompletableFuture<Held> assemble(Entry entry, ChannelRecord saved) {
        SlotKey key = new SlotKey(entry.tag(), entry.index());
        ChannelSlot slot = server.table().slot(entry);
        String reason;
        try {
            Listener listener = find(saved.listener());
            Guard guard = new Guard(server, saved.listener(), slot, saved);
            if (listener == null) {
                reason = "it came from listener " + saved.listener() + ", and there is none";
            } else if (Assembler.assemble(listener.channel(), entry, guard).isActive()) {
                return guard.held().thenApply(nothing -> new Held(guard, key, saved));
            } else {
                reason = "its peer has reset it";
            }
        } catch (IOException | RuntimeException e) {
            reason = e.toString();
        }
        entry.close();
        refuse(key, new IOException(reason));
        return slot.remove().handle((nothing, failure) -> null);
    }

    private Listener find(String name) {
        for (Listener listener : server.options().listeners) {
            if (listener.name().equals(name) && !listener.isDatagram()) {
                return listener;
            }
        }
        return null;
    }

    /**
     * Restores held connections, and lets them go on when all are restored: what one says may be meant for another.
     *
     * @param commit says at the last moment whether they may go on; if not, they are another process's
     * @return whether they go on
     */
    boolean goOn(List<Held> connections, BooleanSupplier commit) {
        Map<Guard, Held> held = new LinkedHashMap<>();
        connections.forEach(connection -> held.put(connection.guard(), connection));
        Map<Guard, Throwable> failures = new LinkedHashMap<>();
        Loops.forEach(held.keySet(), guard -> restore(guard, held.get(guard).saved()))
                .join()
                .forEach((guard, restored) -> failures.put(guard, restored.join()));
        if (!commit.getAsBoolean()) {
            server.guards().removeAll(held.keySet());
            Loops.forEach(held.keySet(), guard -> {
                        guard.letGo();
                        return null;
                    })
                    .join();
            return false;
        }
        settle(held.values());
        Loops.forEach(held.keySet(), guard -> begin(guard, failures.get(guard)))
                .join()
                .forEach((guard, outcome) -> count(held.get(guard), outcome));
        return true;
    }

    private void count(Held connection, Outcome outcome) {
        if (outcome.failure() != null) {
            refuse(connection.slot(), outcome.failure());
        } else if (connection.saved().clean()) {
            adopted++;
            Duration pause = connection.saved().restedFor(outcome.millis());
            if (pause != null) {
                pauses.add(pause);
                server.observer().paused(pause);
            }
        } else {
            foundAfterCrash++;
        }
    }

    /** Returns why a connection can't be restored; of {@code null} when it is. Called on its event loop. */
    private CompletableFuture<Throwable> restore(Guard guard, ChannelRecord saved) {
        Channel channel = guard.channel();
        CompletableFuture<Throwable> restored = new CompletableFuture<>();
        try {
            if (!channel.isActive()) {
                restored.complete(null);
            } else if (!saved.clean() && !server.options().resumeAfterCrash.test(channel)) {
                restored.complete(new IllegalStateException("it is not to be resumed after a crash"));
            } else {
                guard.restore().addListener(f -> restored.complete(f.cause()));
                channel.closeFuture().addListener(f -> restored.complete(null));
            }
        } catch (RuntimeException e) {
            restored.complete(e);
        }
        return restored;
    }

    /** Makes connections this server's own in the escrow, so that no other process starts from what was saved. */
    private void settle(Iterable<Held> held) {
        List<CompletableFuture<Void>> settled = new ArrayList<>();
        held.forEach(connection -> settled.add(
                server.options().crashSafe
                        ? connection
                                .guard()
                                .slot()
                                .store(null, connection.saved().withoutBytes())
                        : connection.guard().slot().remove()));
        CompletableFuture.allOf(settled.toArray(CompletableFuture[]::new))
                .exceptionally(failure -> {
                    server.logger().warn("not all connections are settled in the escrow: {}", failure.getMessage());
                    return null;
                })
                .join();
    }

    /** Lets a connection go on, or ends it if it can't. Called on its event loop. */
    private static Outcome begin(Guard guard, Throwable failure) {
        Throwable reason = failure;
        if (reason == null) {
            try {
                guard.begin();
            } catch (RuntimeException e) {
                reason = e;
            }
        }
        if (reason != null) {
            // It can't go on in the middle of something.
            guard.refuse();
        }
        return new Outcome(reason, System.currentTimeMillis());
    }

    private void refuse(SlotKey slot, Throwable failure) {
        Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
        refused.accept("connection " + slot.tag() + "/" + slot.index() + ": " + cause.getMessage());
    }
}
