package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.handover.store.ChannelRecord;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/** Takes connections apart that change hands together. Used by the thread of the handover. */
final class Batch {

    private record Answer(boolean resting, String whyImmovable) {}

    private final ServerHandover server;
    private final Deadline deadline;
    private final Set<Guard> resting = new LinkedHashSet<>();
    private final Map<Guard, ChannelRecord> apart = new LinkedHashMap<>();
    private final Map<Guard, String> immovable = new HashMap<>();

    Batch(ServerHandover server, Deadline deadline) {
        this.server = server;
        this.deadline = deadline;
    }

    Deadline deadline() {
        return deadline;
    }

    /** Returns how many connections are at rest. */
    int resting() {
        return resting.size();
    }

    /** Returns the connections that can't be moved, with the reasons. */
    Map<Guard, String> immovable() {
        return immovable;
    }

    /** Returns what there is to store of each connection that was taken apart. */
    Map<Guard, ChannelRecord> apart() {
        return apart;
    }

    /** Brings to rest those that can be, and returns those that are busy. */
    List<Guard> ask(Collection<Guard> guards) throws EscrowException {
        List<Guard> busy = new ArrayList<>();
        deadline.await(Loops.forEach(guards, Batch::ask)).forEach((guard, answer) -> {
            if (answer.resting()) {
                resting.add(guard);
            } else if (answer.whyImmovable() != null) {
                immovable.put(guard, answer.whyImmovable());
            } else if (guard.channel().isActive()) {
                busy.add(guard);
            }
        });
        return busy;
    }

    private static Answer ask(Guard guard) {
        String reason = Dismantler.whyImmovable(guard);
        return new Answer(reason == null && guard.tryToRest(), reason);
    }

    /**
     * Lets those go on that are no longer at rest, and returns them. What a connection does on its loop may end on
     * another's: that is let come to its end before.
     */
    List<Guard> restless() throws EscrowException {
        deadline.await(Loops.settle(server.loops()));
        List<Guard> busy = new ArrayList<>();
        deadline.await(Loops.forEach(resting, guard -> {
                    boolean still = !guard.channel().isActive() || Dismantler.isAtRest(guard);
                    if (!still) {
                        guard.goOn();
                    }
                    return still;
                }))
                .forEach((guard, still) -> {
                    if (!still) {
                        busy.add(guard);
                    }
                });
        busy.forEach(resting::remove);
        return busy;
    }

    /** Takes those that are at rest off their loops, and apart. */
    void takeApart() throws EscrowException {
        deadline.await(Loops.forEach(resting, guard -> guard.channel().deregister()));
        // Netty does it a little later.
        deadline.await(Loops.settle(server.loops()));
        deadline.await(Loops.forEach(resting, Guard::takeApart)).forEach((guard, saved) -> {
            if (saved != null) {
                apart.put(guard, saved);
            }
        });
    }

    /** Gives up those that were taken apart: they are another process's. */
    void letGo() {
        server.guards().removeAll(apart.keySet());
        Loops.forEach(apart.keySet(), guard -> {
                    guard.letGo();
                    return null;
                })
                .join();
    }

    /** Serves again, as if nothing had been asked. */
    static CompletableFuture<Void> comeBack(Collection<Guard> guards) {
        return CompletableFuture.allOf(guards.stream()
                .map(guard ->
                        Loops.call(guard.channel().eventLoop(), guard::comeBack).thenCompose(done -> done))
                .toArray(CompletableFuture[]::new));
    }
}
