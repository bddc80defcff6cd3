package io.escrow.handover;

import io.escrow.BulkResult;
import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.client.EscrowClient;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelSlot;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;

/** Starts a server: adopts what the escrow holds, and inherits or binds what is not there. One use, on a thread of its own. */
final class Starter {

    private record Stored(Entry entry, ChannelRecord saved) {}

    private final ServerHandover server;
    private final ServerHandoverBuilder options;
    private final List<String> adoptedListeners = new ArrayList<>();
    private final List<String> inheritedListeners = new ArrayList<>();
    private final List<String> boundListeners = new ArrayList<>();
    private final Queue<String> refused = new ConcurrentLinkedQueue<>();
    private final Adopter adopter;
    private final Inheritance inheritance;

    private Starter(ServerHandoverBuilder options) {
        this.options = options;
        this.server = new ServerHandover(options);
        this.adopter = new Adopter(server, this::refuse);
        this.inheritance = new Inheritance(options.inherited, options.bindChangedAddress, server.logger());
    }

    static CompletableFuture<ServerHandover> start(ServerHandoverBuilder options) {
        CompletableFuture<ServerHandover> started = new CompletableFuture<>();
        start(options, started);
        return started;
    }

    private static void start(ServerHandoverBuilder options, CompletableFuture<ServerHandover> started) {
        Starter starter = new Starter(options);
        Phase.Span connecting = Phase.CONNECTING.begin();
        options.escrow.connect().whenComplete((client, failure) -> {
            if (failure != null) {
                started.completeExceptionally(failure);
                return;
            }
            connecting.end(0);
            Thread thread = new Thread(() -> starter.start(client, started), "escrow-start");
            thread.start();
        });
    }

    private void start(EscrowClient client, CompletableFuture<ServerHandover> started) {
        try {
            if (run(client)) {
                started.complete(server);
            } else {
                // The running server has its session back first.
                server.session().end().join();
                start(options, started);
            }
        } catch (CompletionException e) {
            abandon();
            started.completeExceptionally(e.getCause());
        } catch (EscrowException | RuntimeException e) {
            abandon();
            started.completeExceptionally(e);
        }
    }

    /** Returns whether the server runs; if not, the process before goes on. */
    private boolean run(EscrowClient client) throws EscrowException {
        final long began = System.nanoTime();
        server.observer().queued(client.queued());
        server.session().begin(client).join();
        Map<String, Stored> stored = storedListeners();
        Stored meetingPoint = stored.remove(ChannelRecord.RENDEZVOUS);
        try (WaveTaker before = meetingPoint == null
                ? null
                : WaveTaker.meet(
                        options.listeners.get(0).group().next(),
                        meetingPoint.entry().takeDescriptor().intValue())) {
            if (before != null && !before.isWelcome()) {
                stored.values().forEach(held -> held.entry().close());
                return false;
            }
            startListeners(stored);
            // All is had that the start can fail for: what comes is reported.
            if (before == null) {
                adoptConnections();
                accept();
            } else {
                accept();
                adoptInWaves(before);
            }
        }
        if (meetingPoint != null) {
            ignoreFailure(server.table()
                    .discard(new SlotKey(
                            meetingPoint.entry().tag(), meetingPoint.entry().index())));
        }
        server.started(new StartReport(
                adoptedListeners,
                inheritedListeners,
                boundListeners,
                adopter.adopted(),
                adopter.foundAfterCrash(),
                List.copyOf(refused),
                Duration.ofNanos(System.nanoTime() - began),
                Pauses.of(adopter.pauses())));
        return true;
    }

    private void accept() {
        for (Listener listener : options.listeners) {
            if (!options.crashSafe) {
                ignoreFailure(listener.slot().remove());
            }
            listener.channel().config().setAutoRead(true);
        }
    }

    /** Lets go of everything, so that the escrow is as it was. */
    private void abandon() {
        for (Listener listener : options.listeners) {
            if (!adoptedListeners.contains(listener.name()) && listener.slot() != null) {
                ignoreFailure(listener.slot().remove());
            }
            listener.abandon();
        }
        server.session().end();
    }

    private void startListeners(Map<String, Stored> stored) throws EscrowException {
        Phase.Span phase = Phase.LISTENING.begin();
        List<ChannelSlot> useless = new ArrayList<>();
        try {
            for (Listener listener : options.listeners) {
                Stored held = stored.remove(listener.name());
                if (held == null) {
                    open(listener);
                } else {
                    adopt(listener, held, useless);
                }
                if (!listener.isDatagram()) {
                    listener.channel().pipeline().addFirst("escrow-acceptor", new Acceptor(server, listener.name()));
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
                useless.add(server.table().slot(left.entry()));
            }
            useless.forEach(slot -> ignoreFailure(slot.remove()));
            inheritance.closeRest();
            phase.end(0);
        } finally {
            stored.values().forEach(left -> left.entry().close());
        }
    }

    private Map<String, Stored> storedListeners() {
        List<Entry> entries = new ArrayList<>();
        server.client().getAll(server.table().listenerTag(), entries::add).join();
        Map<String, Stored> stored = new LinkedHashMap<>();
        for (Entry entry : entries) {
            try {
                ChannelRecord saved = server.table().read(entry).join();
                if (entry.hasDescriptor()) {
                    Stored older = stored.put(saved.listener(), new Stored(entry, saved));
                    if (older != null) {
                        // Whoever has bound it anew has died before it could free the slot of the old one.
                        discardListener(older.entry(), "another slot holds a listener of that name");
                    }
                } else {
                    discardListener(entry, "it has no descriptor");
                }
            } catch (CompletionException e) {
                discardListener(entry, e.getCause().getMessage());
            }
        }
        return stored;
    }

    private void discardListener(Entry entry, String reason) {
        entry.close();
        SlotKey slot = new SlotKey(entry.tag(), entry.index());
        refuse("listener in slot " + slot + ": " + reason);
        server.table().discard(slot);
    }

    /** Gets a listener that the escrow does not hold. */
    private void open(Listener listener) throws EscrowException {
        if (inheritance.give(listener)) {
            inheritedListeners.add(listener.name());
        } else {
            listener.bind();
            boundListeners.add(listener.name());
        }
        listener.slot(server.table().newListenerSlot());
    }

    private void adopt(Listener listener, Stored held, List<ChannelSlot> useless) throws EscrowException {
        ChannelSlot slot = server.table().slot(held.entry());
        listener.adopt(held.entry().takeDescriptor().intValue());
        if (held.saved().has(ChannelRecord.INHERITED)) {
            listener.inherited();
        }
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
        open(listener);
    }

    /** Adopts all connections before the first goes on: what one says may be meant for another. */
    private void adoptConnections() {
        Phase.Span adopting = Phase.ADOPTING.begin();
        List<CompletableFuture<Adopter.Held>> all = new ArrayList<>();
        fetch(entry -> all.add(adopter.assemble(entry)));
        List<Adopter.Held> held = new ArrayList<>();
        ProgressTicker ticker =
                ProgressTicker.follow(server.client().eventLoop(), options.onProgress, Progress.Step.ADOPTING, all);
        try {
            for (CompletableFuture<Adopter.Held> assembled : all) {
                Adopter.Held connection = assembled.join();
                if (connection != null) {
                    held.add(connection);
                }
            }
        } finally {
            ticker.stop();
        }
        adopting.end(held.size());
        Phase.Span resuming = Phase.RESUMING.begin();
        adopter.goOn(held, () -> true);
        resuming.end(held.size());
    }

    private void adoptInWaves(WaveTaker before) {
        Map<Integer, Entry> entries = new HashMap<>();
        fetch(entry -> entries.put(entry.index(), entry));
        if (!before.takeAll(server, adopter, entries)) {
            refuse("the rest of the connections: the process before goes on with them");
        }
    }

    private void fetch(Consumer<Entry> sink) {
        try {
            BulkResult fetched =
                    server.client().getAll(server.table().connectionTag(), sink).join();
            fetched.failures().forEach((slot, failure) -> {
                refuse("connection " + slot.tag() + "/" + slot.index() + ": " + failure.getMessage());
                server.table().discard(slot);
            });
        } catch (CompletionException e) {
            refuse("the rest of the connections: " + e.getCause().getMessage());
        }
    }

    private void refuse(String reason) {
        refused.add(reason);
        server.logger().warn("not adopted: {}", reason);
    }

    private static void ignoreFailure(CompletableFuture<Void> request) {
        request.handle((nothing, failure) -> null).join();
    }
}
