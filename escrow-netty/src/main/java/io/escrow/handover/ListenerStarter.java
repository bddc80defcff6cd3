package io.escrow.handover;

import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.SlotKey;
import io.escrow.Status;
import io.escrow.handover.connection.FoundMarks;
import io.escrow.handover.store.ChannelRecord;
import io.escrow.handover.store.ChannelSlot;
import io.escrow.handover.store.UnreadableRecordException;
import io.escrow.handover.store.UnreferencedChunks;
import io.escrow.internal.Futures;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/** Opens the listeners of a server: adopts what the escrow holds, and inherits or binds the others. Used by the thread of the start. */
final class ListenerStarter {

    private record Stored(Entry entry, ChannelRecord record) {}

    /** A socket that is there already; {@code slot} is {@code null} if it is not in the escrow. */
    private record Found(int descriptor, ChannelSlot slot, boolean inherited) {}

    private final HandoverContext server;
    private final StartNotes notes;
    private final InheritedListeners inherited;
    private final SurplusListeners surplus;
    private final FoundMarks marks;
    private final List<SlotKey> marksSlots = new ArrayList<>();
    private final Map<String, Stored> stored = new LinkedHashMap<>();
    private final List<String> storedNames = new ArrayList<>();
    private final List<ChannelSlot> useless = new ArrayList<>();
    private final List<String> adoptedNames = new ArrayList<>();
    private final List<String> inheritedNames = new ArrayList<>();
    private final List<String> boundNames = new ArrayList<>();

    /** Opens the listeners of a server, and notes what can't be adopted. */
    ListenerStarter(HandoverContext server, StartNotes notes, FoundMarks marks) {
        this.server = server;
        this.notes = notes;
        this.marks = marks;
        this.surplus = new SurplusListeners(server);
        this.inherited = new InheritedListeners(
                server.configuration().inherited(), server.configuration().bindChangedAddress(), HandoverLog.LOGGER);
    }

    /** Returns the names of the listeners that came from the escrow. */
    List<String> adoptedNames() {
        return adoptedNames;
    }

    /** Returns the names of the listeners that this process was started with. */
    List<String> inheritedNames() {
        return inheritedNames;
    }

    /** Returns the names of the listeners that were bound. */
    List<String> boundNames() {
        return boundNames;
    }

    /** Returns the listeners of which this version has fewer, and which are served until nothing waits at them. */
    SurplusListeners surplus() {
        return surplus;
    }

    /**
     * Fetches what the escrow holds.
     *
     * @return the entry of the point where the process before is to be met; {@code null} if there is none
     */
    Entry fetch(UnreferencedChunks chunks) {
        List<Entry> entries = new ArrayList<>();
        chunks.getAll(server.table().listenerTag(), entries::add).join();
        entries.sort(Comparator.comparingInt(Entry::index));
        for (Entry entry : entries) {
            try {
                sort(entry, server.table().read(entry).join());
            } catch (CompletionException e) {
                if (Futures.unwrap(e) instanceof UnreadableRecordException unreadable) {
                    leave(entry, unreadable.text());
                } else {
                    // The session is lost, most likely: nothing of what was fetched is used.
                    entries.forEach(Entry::close);
                    throw e;
                }
            }
        }
        Stored meetingPoint = stored.remove(ChannelRecord.RENDEZVOUS);
        storedNames.addAll(stored.keySet());
        return meetingPoint == null ? null : meetingPoint.entry();
    }

    private void sort(Entry entry, ChannelRecord record) {
        if (record.listener().equals(ChannelRecord.TICKETS_NAME)) {
            String whyLeft = server.tickets().found(entry, record);
            if (whyLeft != null) {
                notes.leave("keys of session tickets in slot " + entry.tag() + "/" + entry.index() + ": " + whyLeft
                        + "; if no version needs them any more, escrowctl del removes them");
            }
            return;
        }
        List<String> unknown = record.unknownRequired(section -> false);
        if (!unknown.isEmpty()) {
            leave(
                    entry,
                    "this version does not know the state " + String.join(", ", unknown)
                            + ": a version that does can adopt it");
        } else if (record.listener().equals(ChannelRecord.MARKS)) {
            marksSlots.add(entry.key());
            marks.add(entry.takeDescriptor().intValue());
        } else if (entry.hasDescriptor()) {
            Stored older = stored.put(record.listener(), new Stored(entry, record));
            if (older != null) {
                // The process that has bound it anew has died before it could free the slot of the old one.
                discard(older.entry(), "another slot holds a listener of that name");
            }
        } else {
            discard(entry, "it has no descriptor");
        }
    }

    private void leave(Entry entry, String reason) {
        entry.close();
        notes.leave("listener in slot " + entry.tag() + "/" + entry.index() + ": " + reason);
    }

    private void discard(Entry entry, String reason) {
        entry.close();
        notes.refuse("listener in slot " + entry.tag() + "/" + entry.index() + ": " + reason);
        server.table().discard(entry);
    }

    /** Returns whether the escrow held no listener. */
    boolean hasFoundNothing() {
        return storedNames.isEmpty();
    }

    /** Frees the slots of the marks that were found: no connection in the escrow needs them any more. */
    void discardMarks() {
        marksSlots.forEach(slot -> Futures.awaitEnd(server.table().discard(slot)));
    }

    /** Lets go of what was fetched, and is not used. */
    void close() {
        stored.values().forEach(left -> left.entry().close());
    }

    /** Opens all listeners; none accepts yet. */
    void open() throws EscrowException {
        Phase.Span phase = Phase.LISTENING.begin();
        try {
            Map<Listener, Found> hosted = offerHosted();
            for (Listener listener : server.listeners()) {
                if (listener.hosted() == null) {
                    open(listener, find(listener));
                }
            }
            HostedBinds binds =
                    new HostedBinds(hosted.keySet(), server.configuration().bindWarning());
            while (binds.areMissing()) {
                Listener listener = binds.next();
                listener.address(listener.hosted().handler().asked().join());
                open(listener, hosted.get(listener));
                listener.hosted().handler().tellBound();
            }
            if (server.configuration().crashSafe()) {
                server.crashStore().storeMarks().join();
                server.listeners().stream()
                        .map(listener -> listener.store(false))
                        .toList()
                        .forEach(CompletableFuture::join);
            }
            for (Stored left : stored.values()) {
                leaveOrDiscard(left);
            }
            useless.forEach(slot -> Futures.awaitEnd(slot.free()));
            inherited.close();
            phase.end(0);
        } finally {
            close();
        }
    }

    private void leaveOrDiscard(Stored unknown) throws EscrowException {
        String name = unknown.record().listener();
        String whyGivenUp = server.names().whyGivenUp(name);
        if (whyGivenUp != null) {
            notes.refuse("listener " + name + ": " + whyGivenUp);
            useless.add(server.table().slot(unknown.entry()));
            Listener sibling =
                    server.names().isDiscarded(name) ? null : server.names().ofConnection(name);
            if (sibling != null && sibling.hosted() == null) {
                surplus.adopt(unknown.entry().takeDescriptor().intValue(), sibling);
            }
        } else {
            Entry entry = unknown.entry();
            notes.leave("listener " + name + " in slot " + entry.tag() + "/" + entry.index()
                    + ": this version has none of that name; its clients wait without an answer. If it is not needed"
                    + " any more, discard it: discardListener of the builder, or escrowctl del");
        }
    }

    /** Lets frameworks make their channels, all of them first: they are bound in an order that is not ours. */
    private Map<Listener, Found> offerHosted() throws EscrowException {
        Map<Listener, Found> hosted = new LinkedHashMap<>();
        for (Listener listener : server.listeners()) {
            if (listener.hosted() != null) {
                Found found = find(listener);
                hosted.put(listener, found);
                if (found == null) {
                    listener.hosted().offerFresh();
                } else {
                    listener.hosted().offer(found.descriptor());
                }
            }
        }
        return hosted;
    }

    /** Returns the socket of a listener, whose descriptor the caller owns; {@code null} if it is to be bound. */
    private Found find(Listener listener) throws EscrowException {
        Stored held = stored.remove(listener.name());
        return held == null
                ? findInherited(listener)
                : new Found(
                        held.entry().takeDescriptor().intValue(),
                        server.table().slot(held.entry()),
                        held.record().has(ChannelRecord.INHERITED));
    }

    private Found findInherited(Listener listener) throws EscrowException {
        OptionalInt descriptor = inherited.descriptorFor(listener);
        return descriptor.isPresent() ? new Found(descriptor.getAsInt(), null, true) : null;
    }

    private void open(Listener listener, Found found) throws EscrowException {
        if (found == null) {
            bind(listener);
        } else {
            listener.adopt(found.descriptor());
            if (found.inherited()) {
                listener.inherited();
            }
            if (!listener.hasAddress()) {
                open(listener, insteadOf(found, listener));
                return;
            }
        }
        if (found != null && found.slot() != null) {
            listener.slot(found.slot());
            adoptedNames.add(listener.name());
        } else {
            listener.slot(server.table().newListenerSlot());
            (found == null ? boundNames : inheritedNames).add(listener.name());
        }
        if (!listener.isDatagram()) {
            listener.channel().pipeline().addFirst("escrow-acceptor", new AcceptHandler(server, listener.name()));
        }
    }

    /** Gives up a socket with another address than the one that was asked for, and returns what is there instead. */
    private Found insteadOf(Found found, Listener listener) throws EscrowException {
        String addresses = listener.addressText();
        listener.abandon();
        if (listener.hosted() != null) {
            throw new EscrowException(
                    Status.EINVAL,
                    "listener " + listener.name() + " is there already, with another address: " + addresses
                            + "; use the old one, or another name for the listener, and discardListener for the old"
                            + " name: the framework's channel can't be bound anew");
        }
        if (!server.configuration().bindChangedAddress()) {
            throw new EscrowException(
                    Status.EINVAL,
                    "listener " + listener.name() + " in the escrow has another address: " + addresses
                            + "; ask to bind a changed address, or use the old one");
        }
        notes.refuse("listener " + listener.name() + ": " + addresses);
        if (found.slot() != null) {
            useless.add(found.slot());
        }
        return findInherited(listener);
    }

    private void bind(Listener listener) throws EscrowException {
        try {
            listener.bind();
        } catch (EscrowException e) {
            long inheritedOfGroup = inherited.givenToGroup(listener);
            if (e.status() == Status.EADDRINUSE && inheritedOfGroup > 0) {
                throw new EscrowException(
                        e.status(),
                        e.text() + "; only " + inheritedOfGroup + " of the listeners that share its name have inherited"
                                + " a socket: pass on one for each, or ask for fewer",
                        e);
            }
            if (e.status() != Status.EADDRINUSE || storedNames.isEmpty()) {
                throw e;
            }
            throw new EscrowException(
                    e.status(),
                    e.text() + "; the escrow holds listeners under these names: " + String.join(", ", storedNames)
                            + ": a listener keeps its name from version to version",
                    e);
        }
    }
}
