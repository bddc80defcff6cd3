package io.escrow.handover;

import io.escrow.EscrowException;
import io.escrow.handover.store.ChannelRecord;
import io.netty.buffer.ByteBuf;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BiConsumer;

/**
 * Gives connections to the next process over a {@link Link}, a few at a time, while the others are being served. A wave
 * belongs to the next process from the moment that it says so: if it dies before, or is too slow, the wave goes on here.
 */
final class Waves {

    private static final int FIRST_WAVE = 32;
    private static final int POLL_NANOS = 1_000_000;
    private static final byte[] NOTHING = {};

    /** How long a wave may still take when the time of the handover is up. */
    private static final Duration LAST_WAVE = Duration.ofSeconds(2);

    private final ServerHandover server;
    private final Deadline deadline;
    private final Link next;
    private final BiConsumer<Guard, String> onStaying;
    private final Deque<Guard> waiting;
    private final int total;
    private final AtomicInteger moved = new AtomicInteger();
    private long restingNanos;

    /**
     * Prepares to give connections away.
     *
     * @param next the link to the process that is to have them
     * @param onStaying called with those that can't be moved, and the reason
     */
    Waves(
            ServerHandover server,
            Deadline deadline,
            Link next,
            Collection<Guard> connections,
            BiConsumer<Guard, String> onStaying) {
        this.server = server;
        this.deadline = deadline;
        this.next = next;
        this.onStaying = onStaying;
        this.waiting = new ArrayDeque<>(connections);
        this.total = waiting.size();
    }

    /** Returns how many connections the next process has taken. */
    int moved() {
        return moved.get();
    }

    /** Returns how long the waves were waited for until they were at rest, in nanoseconds. */
    long restingNanos() {
        return restingNanos;
    }

    /** Returns whether the next process has taken all that can be moved; if not, it has gone. */
    boolean run() throws EscrowException {
        ProgressTicker ticker =
                new ProgressTicker(next.loop(), server.options().onProgress, Progress.Step.STORING, moved::get, total);
        try {
            int size = FIRST_WAVE;
            while (!waiting.isEmpty()) {
                long began = System.nanoTime();
                Phase.Span phase = Phase.GIVING_WAVE.begin();
                Batch wave = rest(size);
                if (wave.resting() == 0) {
                    LockSupport.parkNanos(POLL_NANOS);
                } else if (give(wave)) {
                    phase.end(wave.apart().size());
                    size = nextSize(wave.resting(), System.nanoTime() - began);
                } else {
                    return false;
                }
            }
            return true;
        } finally {
            ticker.stop();
        }
    }

    /** Brings the next wave to rest. Those that are busy go on, and are asked again with the wave after it. */
    private Batch rest(int size) throws EscrowException {
        final long began = System.nanoTime();
        List<Guard> asked = new ArrayList<>();
        while (asked.size() < size && !waiting.isEmpty()) {
            asked.add(waiting.poll());
        }
        Batch wave =
                new Batch(server, new Deadline(Duration.ofNanos(deadline.left()).plus(LAST_WAVE)));
        List<Guard> busy = wave.ask(asked);
        if (wave.resting() > 0) {
            busy.addAll(wave.restless());
        }
        wave.immovable().forEach(onStaying);
        if (deadline.hasPassed()) {
            busy.forEach(guard -> onStaying.accept(guard, "it did not come to rest in time"));
        } else {
            busy.forEach(waiting::addFirst);
        }
        restingNanos += System.nanoTime() - began;
        return wave;
    }

    private boolean give(Batch wave) throws EscrowException {
        wave.takeApart();
        wave.apart()
                .forEach((guard, saved) ->
                        next.write(Link.Kind.MOVED, guard.slot().index(), saved.encode()));
        next.send(Link.Kind.WAVE, 0, NOTHING);
        Link.Message answer = next.receive(wave.deadline().left());
        if (answer == null) {
            answer = lastWord();
        }
        if (answer.kind() != Link.Kind.TAKEN) {
            Batch.comeBack(wave.apart().keySet()).join();
            return false;
        }
        Set<Integer> notTaken = notTaken(answer);
        Map<Guard, ChannelRecord> apart = wave.apart();
        List<Guard> left = apart.keySet().stream()
                .filter(guard -> notTaken.contains(guard.slot().index()))
                .toList();
        left.forEach(apart::remove);
        wave.letGo();
        moved.addAndGet(apart.size());
        Batch.comeBack(left).join();
        left.forEach(guard -> onStaying.accept(guard, "the next process could not get its descriptor"));
        return true;
    }

    /** Makes sure that the next process takes nothing more, and returns what it has said before that. */
    private Link.Message lastWord() {
        next.cut();
        Link.Message message = next.receive();
        while (message.kind() != Link.Kind.TAKEN && message.kind() != Link.Kind.END) {
            message = next.receive();
        }
        return message;
    }

    private static Set<Integer> notTaken(Link.Message taken) {
        ByteBuf in = taken.content();
        Set<Integer> indices = new HashSet<>();
        while (in.isReadable()) {
            indices.add(in.readInt());
        }
        return indices;
    }

    /** Makes the next wave so large that it takes about as long as it may. */
    private int nextSize(int size, long took) {
        double ratio = (double) server.options().wave.toNanos() / Math.max(1, took);
        return (int) Math.max(1, size * Math.min(2, Math.max(0.5, ratio)));
    }
}
