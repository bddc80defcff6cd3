package io.escrow.handover;

import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.netty.channel.Channel;
import io.netty.channel.epoll.EpollSocketChannel;
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
        adoptConnections();
        for (Listener listener : options.listeners) {
            settle(listener);
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
            if (listener.channel() != null) {
                Loops.deregister(listener.channel()).join();
                listener.letGo();
            }
        }
        client.close();
    }

    private void startListeners() throws EscrowException {
        Map<String, Stored> stored = storedListeners();
        try {
            for (Listener listener : options.listeners) {
                Stored held = stored.remove(listener.name());
                if (held == null) {
                    bind(listener);
                } else {
                    adopt(listener, held);
                }
                if (!listener.isDatagram()) {
                    listener.channel()
                            .pipeline()
                            .addFirst("escrow-acceptor", new ServerHandover.Acceptor(server, listener.name()));
                }
            }
            for (Stored left : stored.values()) {
                refuse("listener " + left.saved().listener() + ": this server has none of that name");
                table.remove(EscrowTable.place(left.entry())).join();
            }
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
                refuseUnreadable(entry, e.getCause());
            }
        }
        return stored;
    }

    private void bind(Listener listener) throws EscrowException {
        listener.bind();
        boundListeners.add(listener.name());
    }

    private void adopt(Listener listener, Stored held) throws EscrowException {
        listener.adopt(held.entry().takeDescriptor().intValue());
        listener.place(EscrowTable.place(held.entry()));
        if (listener.hasAddress()) {
            adoptedListeners.add(listener.name());
        } else if (options.bindChangedAddress) {
            refuse("listener " + listener.name() + ": " + listener.addressText());
            listener.channel().close().awaitUninterruptibly();
            table.remove(listener.place()).join();
            listener.place(null);
            bind(listener);
        } else {
            throw new EscrowException(
                    Status.EINVAL,
                    "listener " + listener.name() + " in the escrow has another address: " + listener.addressText()
                            + "; ask to bind a changed address, or use the old one");
        }
    }

    /** Keeps a listener in the escrow, or takes it out, now that it is served here. */
    private void settle(Listener listener) {
        SavedChannel saved = new SavedChannel(listener.name(), false, Map.of());
        if (options.crashSafe) {
            listener.place(
                    listener.place() != null
                            ? table.update(listener.place(), saved).join()
                            : table.put(
                                            table.listenerTag(),
                                            options.listeners.indexOf(listener),
                                            Loops.descriptor(listener.channel()),
                                            saved)
                                    .join());
        } else if (listener.place() != null) {
            table.remove(listener.place()).join();
            listener.place(null);
        }
    }

    private void adoptConnections() {
        List<CompletableFuture<Void>> all = new ArrayList<>();
        client.getAll(table.connectionTag(), entry -> all.add(adopt(entry))).join();
        CompletableFuture.allOf(all.toArray(CompletableFuture[]::new)).join();
        // Only now: what one connection is sent may concern any other.
        List<CompletableFuture<Void>> begun = new ArrayList<>();
        for (Guard guard : server.guards()) {
            begun.add(Loops.call(guard.channel().eventLoop(), () -> {
                guard.begin();
                return null;
            }));
        }
        CompletableFuture.allOf(begun.toArray(CompletableFuture[]::new)).join();
    }

    /** Adopts one connection; done when it is ready to be served, or refused. */
    private CompletableFuture<Void> adopt(Entry entry) {
        return table.read(entry)
                .thenCompose(saved -> {
                    Listener listener = find(saved.listener());
                    if (listener == null) {
                        return refuse(entry, "came from listener " + saved.listener() + ", and there is none");
                    }
                    return adopt(entry, saved, listener);
                })
                .exceptionally(failure -> {
                    refuseUnreadable(entry, failure instanceof CompletionException ? failure.getCause() : failure);
                    return null;
                });
    }

    private CompletableFuture<Void> adopt(Entry entry, SavedChannel saved, Listener listener) {
        Guard guard = new Guard(server, listener.name(), saved, EscrowTable.place(entry));
        Channel channel;
        try {
            channel = Assembler.assemble(listener.channel(), entry, guard);
        } catch (IOException e) {
            return refuse(entry, e.getMessage());
        }
        if (!channel.isActive()) {
            return refuse(entry, "its peer has reset it");
        }
        (saved.clean() ? adopted : foundAfterCrash).incrementAndGet();
        return guard.settled();
    }

    private Listener find(String name) {
        for (Listener listener : options.listeners) {
            if (listener.name().equals(name) && !listener.isDatagram()) {
                return listener;
            }
        }
        return null;
    }

    private CompletableFuture<Void> refuse(Entry entry, String reason) {
        entry.close();
        refuse("connection " + entry.tag() + "/" + entry.index() + ": " + reason);
        return table.remove(EscrowTable.place(entry));
    }

    private void refuseUnreadable(Entry entry, Throwable cause) {
        entry.close();
        refuse("slot " + entry.tag() + "/" + entry.index() + ": " + cause.getMessage());
        table.discard(entry);
    }

    private void refuse(String reason) {
        refused.add(reason);
        server.logger().warn("not adopted: {}", reason);
    }

    /**
     * Makes an adopted connection this server's own: first in the escrow, so that no other process
     * starts from what was saved, then here: built, and not yet reading. Called on the channel's event loop.
     */
    static void settle(ServerHandover server, Guard guard) {
        EscrowTable table = server.table();
        EscrowTable.Place place = guard.place();
        CompletableFuture<EscrowTable.Place> settled = server.options().crashSafe
                ? table.update(place, guard.saved().withoutBytes())
                : table.remove(place).thenApply(nothing -> null);
        settled.whenComplete((now, failure) -> guard.channel().eventLoop().execute(() -> {
            guard.place(now);
            if (failure != null) {
                server.logger().warn("slot {} was not settled: {}", place, failure.getMessage());
            }
            restore(server, guard);
        }));
    }

    private static void restore(ServerHandover server, Guard guard) {
        Channel channel = guard.channel();
        if (guard.state() == Guard.State.HELD && channel.isActive()) {
            if (!guard.saved().clean() && !server.options().resumeAfterCrash.test(channel)) {
                guard.release();
                channel.close();
            } else {
                if (channel instanceof EpollSocketChannel tcp) {
                    // The options of the bootstrap have been applied since.
                    tcp.config().setTcpNoDelay(channel.attr(Guard.NO_DELAY).get());
                }
                guard.restore().addListener(f -> {
                    if (!f.isSuccess()) {
                        server.logger()
                                .warn(
                                        "connection {} can't go on: {}",
                                        channel,
                                        f.cause().getMessage());
                        channel.close();
                    }
                    guard.settled().complete(null);
                });
                return;
            }
        }
        guard.settled().complete(null);
    }
}
