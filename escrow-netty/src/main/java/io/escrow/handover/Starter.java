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

    private final ServerHandover server;
    private final ServerHandoverBuilder options;
    private final List<String> adoptedListeners = new ArrayList<>();
    private final List<String> boundListeners = new ArrayList<>();
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
    }

    /** Adopts one connection; done when it is served, or refused. */
    private CompletableFuture<Void> adopt(Entry entry) {
        return table.read(entry).thenCompose(saved -> adopt(entry, saved)).exceptionallyCompose(failure -> {
            entry.close();
            SlotKey slot = new SlotKey(entry.tag(), entry.index());
            refuse(slot, failure instanceof CompletionException ? failure.getCause() : failure);
            return table.discard(slot);
        });
    }

    private CompletableFuture<Void> adopt(Entry entry, SavedChannel saved) {
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
                .thenRun((saved.clean() ? adopted : foundAfterCrash)::incrementAndGet)
                .exceptionally(failure -> {
                    refuse(new SlotKey(entry.tag(), entry.index()), failure);
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
     * Makes an adopted connection this server's own, and lets it go on: first in the escrow, so that no other process
     * starts from what was saved, then here. Called on the channel's event loop.
     */
    static void settle(ServerHandover server, Guard guard, SavedChannel saved) {
        CompletableFuture<Void> settled = server.options().crashSafe
                ? guard.slot().store(Loops.descriptor(guard.channel()), saved.withoutBytes())
                : guard.slot().remove();
        settled.whenComplete((nothing, failure) -> guard.channel().eventLoop().execute(() -> {
            if (failure != null) {
                server.logger().warn("the slot of {} was not settled: {}", guard.channel(), failure.getMessage());
            }
            goOn(server, guard, saved.clean());
        }));
    }

    private static void goOn(ServerHandover server, Guard guard, boolean clean) {
        Channel channel = guard.channel();
        try {
            if (!clean
                    && channel.isActive()
                    && !server.options().resumeAfterCrash.test(channel)) {
                guard.refuse(new IllegalStateException("not to be resumed after a crash"));
            } else {
                guard.resume();
                guard.settled().complete(null);
            }
        } catch (RuntimeException e) {
            // It can't go on in the middle of something.
            guard.refuse(e);
        }
    }
}
