package io.escrow.handover;

import io.escrow.BulkResult;
import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.netty.channel.Channel;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;

/** Starts a server: adopts what the escrow holds, and binds what is not there. One use, on a thread of its own. */
final class Starter {

    private record Stored(Entry entry, SavedChannel saved) {}

    private record Adopted(Guard guard, SlotKey slot, SavedChannel saved) {}

    private final ServerHandover server;
    private final ServerHandoverBuilder options;
    private final List<String> adoptedListeners = new ArrayList<>();
    private final List<String> boundListeners = new ArrayList<>();
    private final Queue<String> refused = new ConcurrentLinkedQueue<>();
    private int adopted;
    private int foundAfterCrash;
    private EscrowClient client;
    private EscrowTable table;

    private Starter(ServerHandoverBuilder options) {
        this.options = options;
        this.server = new ServerHandover(options);
    }

    static CompletableFuture<ServerHandover> start(ServerHandoverBuilder options) {
        Starter starter = new Starter(options);
        CompletableFuture<ServerHandover> started = new CompletableFuture<>();
        options.escrow.connect().whenComplete((client, failure) -> {
            if (failure != null) {
                started.completeExceptionally(failure);
                return;
            }
            Thread thread = new Thread(
                    () -> {
                        try {
                            starter.run(client);
                            started.complete(starter.server);
                        } catch (CompletionException e) {
                            starter.abandon();
                            started.completeExceptionally(e.getCause());
                        } catch (EscrowException | RuntimeException e) {
                            starter.abandon();
                            started.completeExceptionally(e);
                        }
                    },
                    "escrow-start");
            thread.start();
        });
        return started;
    }

    private void run(EscrowClient connected) throws EscrowException {
        final long began = System.nanoTime();
        client = connected;
        table = new EscrowTable(client, options.firstTag);
        table.prepare().join();
        server.connected(client, table);
        startListeners();
        // All is had that the start can fail for: what comes is reported.
        adoptConnections();
        for (Listener listener : options.listeners) {
            if (!options.crashSafe) {
                ignoreFailure(listener.slot().remove());
            }
            listener.channel().config().setAutoRead(true);
        }
        server.started(new StartReport(
                adoptedListeners,
                boundListeners,
                adopted,
                foundAfterCrash,
                List.copyOf(refused),
                Duration.ofNanos(System.nanoTime() - began)));
    }

    /** Lets go of everything, so that the escrow is as it was. */
    private void abandon() {
        for (Listener listener : options.listeners) {
            if (boundListeners.contains(listener.name()) && listener.slot() != null) {
                ignoreFailure(listener.slot().remove());
            }
            listener.abandon();
        }
        client.close();
    }

    private void startListeners() throws EscrowException {
        Map<String, Stored> stored = storedListeners();
        List<Slot> useless = new ArrayList<>();
        try {
            for (Listener listener : options.listeners) {
                Stored held = stored.remove(listener.name());
                if (held == null) {
                    bind(listener);
                } else {
                    adopt(listener, held, useless);
                }
                if (!listener.isDatagram()) {
                    listener.channel()
                            .pipeline()
                            .addFirst("escrow-acceptor", new ServerHandover.Acceptor(server, listener.name()));
                }
            }
            if (options.crashSafe) {
                options.listeners.stream()
                        .map(listener -> listener.store(false))
                        .toList()
                        .forEach(CompletableFuture::join);
            }
            for (Stored left : stored.values()) {
                refuse("listener " + left.saved().listener() + ": this server has none of that name");
                useless.add(table.slot(left.entry()));
            }
            useless.forEach(slot -> ignoreFailure(slot.remove()));
        } finally {
            stored.values().forEach(left -> left.entry().close());
        }
    }

    private Map<String, Stored> storedListeners() {
        List<Entry> entries = new ArrayList<>();
        client.getAll(table.listenerTag(), entries::add).join();
        Map<String, Stored> stored = new LinkedHashMap<>();
        for (Entry entry : entries) {
            try {
                SavedChannel saved = table.read(entry).join();
                stored.put(saved.listener(), new Stored(entry, saved));
            } catch (CompletionException e) {
                entry.close();
                SlotKey slot = new SlotKey(entry.tag(), entry.index());
                refuse("listener in slot " + slot + ": " + e.getCause().getMessage());
                table.discard(slot);
            }
        }
        return stored;
    }

    private void bind(Listener listener) throws EscrowException {
        listener.bind();
        listener.slot(table.newListenerSlot());
        boundListeners.add(listener.name());
    }

    private void adopt(Listener listener, Stored held, List<Slot> useless) throws EscrowException {
        Slot slot = table.slot(held.entry());
        listener.adopt(held.entry().takeDescriptor().intValue());
        if (listener.hasAddress()) {
            listener.slot(slot);
            adoptedListeners.add(listener.name());
            return;
        }
        String addresses = listener.addressText();
        listener.abandon();
        if (!options.bindChangedAddress) {
            throw new EscrowException(
                    Status.EINVAL,
                    "listener " + listener.name() + " in the escrow has another address: " + addresses
                            + "; ask to bind a changed address, or use the old one");
        }
        refuse("listener " + listener.name() + ": " + addresses);
        useless.add(slot);
        bind(listener);
    }

    /** Adopts all connections before the first goes on: what one says may be meant for another. */
    private void adoptConnections() {
        List<CompletableFuture<Adopted>> all = new ArrayList<>();
        try {
            BulkResult fetched = client.getAll(table.connectionTag(), entry -> all.add(assemble(entry)))
                    .join();
            fetched.failures().forEach((slot, failure) -> {
                refuse(slot, failure);
                table.discard(slot);
            });
        } catch (CompletionException e) {
            refuse("the rest of the connections: " + e.getCause().getMessage());
        }
        Map<Guard, Adopted> held = new LinkedHashMap<>();
        ProgressTicker ticker =
                ProgressTicker.follow(client.eventLoop(), options.onProgress, Progress.Step.ADOPTING, all);
        try {
            for (CompletableFuture<Adopted> assembled : all) {
                Adopted connection = assembled.join();
                if (connection != null) {
                    held.put(connection.guard(), connection);
                }
            }
        } finally {
            ticker.stop();
        }
        settle(held);
        Loops.forEach(held.keySet(), guard -> restore(guard, held.get(guard).saved()))
                .join()
                .forEach((guard, restored) -> {
                    Throwable failure = restored.join();
                    if (failure != null) {
                        refuse(held.remove(guard).slot(), failure);
                    }
                });
        Loops.forEach(held.keySet(), guard -> begin(guard)).join().forEach((guard, failure) -> {
            Adopted connection = held.get(guard);
            if (failure != null) {
                refuse(connection.slot(), failure);
            } else if (connection.saved().clean()) {
                adopted++;
            } else {
                foundAfterCrash++;
            }
        });
    }

    /** Makes a held channel of an entry; of {@code null} when it is refused. */
    private CompletableFuture<Adopted> assemble(Entry entry) {
        SlotKey slot = new SlotKey(entry.tag(), entry.index());
        return table.read(entry)
                .thenCompose(saved -> assemble(entry, slot, saved))
                .exceptionally(failure -> {
                    entry.close();
                    refuse(slot, failure);
                    table.discard(slot);
                    return null;
                });
    }

    private CompletableFuture<Adopted> assemble(Entry entry, SlotKey key, SavedChannel saved) {
        Slot slot = table.slot(entry);
        String reason;
        try {
            Listener listener = find(saved.listener());
            Guard guard = new Guard(server, saved.listener(), slot, saved);
            if (listener == null) {
                reason = "it came from listener " + saved.listener() + ", and there is none";
            } else if (Assembler.assemble(listener.channel(), entry, guard).isActive()) {
                return guard.held().thenApply(nothing -> new Adopted(guard, key, saved));
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

    /** Makes held connections this server's own in the escrow, so that no other process starts from what was saved. */
    private void settle(Map<Guard, Adopted> held) {
        List<CompletableFuture<Void>> settled = new ArrayList<>();
        held.forEach((guard, connection) -> settled.add(
                options.crashSafe
                        ? guard.slot().store(null, connection.saved().withoutBytes())
                        : guard.slot().remove()));
        CompletableFuture.allOf(settled.toArray(CompletableFuture[]::new))
                .exceptionally(failure -> {
                    server.logger().warn("not all connections are settled in the escrow: {}", failure.getMessage());
                    return null;
                })
                .join();
    }

    /** Returns why a connection can't be restored; of {@code null} when it is. Called on its event loop. */
    private CompletableFuture<Throwable> restore(Guard guard, SavedChannel saved) {
        Channel channel = guard.channel();
        CompletableFuture<Throwable> restored = new CompletableFuture<>();
        restored.thenAccept(failure -> {
            if (failure != null) {
                // It can't go on in the middle of something.
                guard.refuse();
            }
        });
        try {
            if (!channel.isActive()) {
                restored.complete(null);
            } else if (!saved.clean() && !options.resumeAfterCrash.test(channel)) {
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

    private static Throwable begin(Guard guard) {
        try {
            guard.begin();
            return null;
        } catch (RuntimeException e) {
            guard.refuse();
            return e;
        }
    }

    private Listener find(String name) {
        for (Listener listener : options.listeners) {
            if (listener.name().equals(name) && !listener.isDatagram()) {
                return listener;
            }
        }
        return null;
    }

    private void refuse(SlotKey slot, Throwable failure) {
        Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
        refuse("connection " + slot.tag() + "/" + slot.index() + ": " + cause.getMessage());
    }

    private void refuse(String reason) {
        refused.add(reason);
        server.logger().warn("not adopted: {}", reason);
    }

    private static void ignoreFailure(CompletableFuture<Void> request) {
        request.handle((nothing, failure) -> null).join();
    }
}
