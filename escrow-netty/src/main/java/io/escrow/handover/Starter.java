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
import java.util.concurrent.atomic.AtomicInteger;

/** Starts a server: adopts what the escrow holds, and binds what is not there. One use, on a thread of its own. */
final class Starter {

    private record Stored(Entry entry, SavedChannel saved) {}

    private record Ready(Guard guard, SlotKey key, boolean clean) {}

    private final ServerHandover server;
    private final ServerHandoverBuilder options;
    private final List<String> adoptedListeners = new ArrayList<>();
    private final List<String> boundListeners = new ArrayList<>();
    private final Queue<Ready> ready = new ConcurrentLinkedQueue<>();
    private final Queue<String> refused = new ConcurrentLinkedQueue<>();
    private final AtomicInteger adopted = new AtomicInteger();
    private final AtomicInteger foundAfterCrash = new AtomicInteger();
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
                adopted.get(),
                foundAfterCrash.get(),
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

    private void adoptConnections() {
        List<CompletableFuture<Void>> all = new ArrayList<>();
        try {
            BulkResult fetched = client.getAll(table.connectionTag(), entry -> all.add(adopt(entry)))
                    .join();
            fetched.failures().forEach((slot, failure) -> {
                refuse(slot, failure);
                all.add(table.discard(slot));
            });
        } catch (CompletionException e) {
            refuse("the rest of the connections: " + e.getCause().getMessage());
        }
        CompletableFuture.allOf(all.toArray(CompletableFuture[]::new))
                .handle((nothing, failure) -> null)
                .join();
        // Only now: what one connection is sent may concern any other.
        CompletableFuture.allOf(ready.stream()
                        .map(one -> Loops.call(one.guard().channel().eventLoop(), () -> begin(one)))
                        .toArray(CompletableFuture[]::new))
                .join();
    }

    private boolean begin(Ready one) {
        try {
            one.guard().begin();
            (one.clean() ? adopted : foundAfterCrash).incrementAndGet();
            return true;
        } catch (RuntimeException e) {
            // It can't go on in the middle of something.
            one.guard().refuse(e);
            refuse(one.key(), e);
            return false;
        }
    }

    /** Adopts one connection; done when it is ready to be served, or refused. */
    private CompletableFuture<Void> adopt(Entry entry) {
        return table.read(entry).thenCompose(saved -> adopt(entry, saved)).exceptionallyCompose(failure -> {
            entry.close();
            SlotKey slot = new SlotKey(entry.tag(), entry.index());
            refuse(slot, failure instanceof CompletionException ? failure.getCause() : failure);
            return table.discard(slot);
        });
    }

    private CompletableFuture<Void> adopt(Entry entry, SavedChannel saved) {
        SlotKey key = new SlotKey(entry.tag(), entry.index());
        Slot slot = table.slot(entry);
        Listener listener = find(saved.listener());
        if (listener == null) {
            return refuse(entry, slot, "came from listener " + saved.listener() + ", and there is none");
        }
        Guard guard = new Guard(server, listener.name(), slot, saved);
        try {
            Channel channel = Assembler.assemble(listener.channel(), entry, guard);
            if (!channel.isActive()) {
                return refuse(entry, slot, "its peer has reset it");
            }
        } catch (IOException | RuntimeException e) {
            return refuse(entry, slot, e.getMessage());
        }
        return guard.settled()
                .thenRun(() -> ready.add(new Ready(guard, key, saved.clean())))
                .exceptionally(failure -> {
                    refuse(key, failure);
                    return null;
                });
    }

    private Listener find(String name) {
        for (Listener listener : options.listeners) {
            if (listener.name().equals(name) && !listener.isDatagram()) {
                return listener;
            }
        }
        return null;
    }

    private CompletableFuture<Void> refuse(Entry entry, Slot slot, String reason) {
        entry.close();
        refuse("connection " + entry.tag() + "/" + entry.index() + ": " + reason);
        return slot.remove();
    }

    private void refuse(SlotKey slot, Throwable cause) {
        refuse("connection " + slot.tag() + "/" + slot.index() + ": " + cause.getMessage());
    }

    private void refuse(String reason) {
        refused.add(reason);
        server.logger().warn("not adopted: {}", reason);
    }

    private static void ignoreFailure(CompletableFuture<Void> request) {
        request.handle((nothing, failure) -> null).join();
    }

    /**
     * Makes an adopted connection this server's own: first in the escrow, so that no other process starts from what was
     * saved, then here; built, and not reading yet. Called on the channel's event loop.
     */
    static void settle(ServerHandover server, Guard guard, SavedChannel saved) {
        CompletableFuture<Void> settled = server.options().crashSafe
                ? guard.slot().store(Loops.descriptor(guard.channel()), saved.withoutBytes())
                : guard.slot().remove();
        settled.whenComplete((nothing, failure) -> guard.channel().eventLoop().execute(() -> {
            if (failure != null) {
                server.logger().warn("the slot of {} was not settled: {}", guard.channel(), failure.getMessage());
            }
            restore(server, guard, saved.clean());
        }));
    }

    private static void restore(ServerHandover server, Guard guard, boolean clean) {
        Channel channel = guard.channel();
        if (!channel.isActive()) {
            guard.settled().complete(null);
            return;
        }
        try {
            if (!clean && !server.options().resumeAfterCrash.test(channel)) {
                guard.refuse(new IllegalStateException("not to be resumed after a crash"));
                return;
            }
            guard.restore().addListener(f -> {
                if (f.isSuccess()) {
                    guard.settled().complete(null);
                } else {
                    guard.refuse(f.cause());
                }
            });
        } catch (RuntimeException e) {
            guard.refuse(e);
        }
    }
}
