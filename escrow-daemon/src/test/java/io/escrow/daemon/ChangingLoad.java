package io.escrow.daemon;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import io.escrow.Entry;
import io.escrow.EscrowException;
import io.escrow.SlotInfo;
import io.escrow.client.BlockingEscrow;
import io.escrow.client.EscrowClient;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Changes slots as long as it may, many at a time, and knows what must be in each of them then. */
final class ChangingLoad implements AutoCloseable {

    static final int TAG = 2;
    private static final int SLOTS = 128;
    private static final int EMPTY = 0;

    /** What a slot may hold: the number of the last change that was acknowledged, and one that may have been made. */
    private static final class Known {
        int acknowledged = EMPTY;
        Integer doubtful;
        boolean busy;
    }

    private final EscrowClient client;
    private final TestFiles files;
    private final Random random;
    private final int inFlight;
    private final Semaphore free;
    private final Known[] known = new Known[SLOTS];
    private final Thread thread = new Thread(this::run, "load");
    private volatile boolean ending;
    private int changes;
    private int failed;

    /**
     * Begins.
     *
     * @param inFlight how many changes are under way at a time
     */
    ChangingLoad(EscrowClient client, TestFiles files, int inFlight, long seed) {
        this.client = client;
        this.files = files;
        this.random = new Random(seed);
        this.inFlight = inFlight;
        this.free = new Semaphore(inFlight);
        for (int i = 0; i < SLOTS; i++) {
            known[i] = new Known();
        }
        thread.setDaemon(true);
        thread.start();
    }

    private void run() {
        while (!ending) {
            free.acquireUninterruptibly();
            change();
        }
        free.acquireUninterruptibly(inFlight);
    }

    private synchronized void change() {
        int index = random.nextInt(SLOTS);
        Known slot = known[index];
        if (slot.busy || slot.doubtful != null) {
            free.release();
            return;
        }
        slot.busy = true;
        int number = ++changes;
        boolean delete = slot.acknowledged != EMPTY && random.nextInt(3) == 0;
        CompletableFuture<Void> done = delete
                ? client.delete(TAG, index)
                : client.add(
                        TAG,
                        index,
                        files.get(index % 4),
                        ByteBuffer.allocate(4).putInt(number).array());
        int next = delete ? EMPTY : number;
        done.whenComplete((nothing, failure) -> ended(slot, next, failure));
    }

    private synchronized void ended(Known slot, int next, Throwable failure) {
        slot.busy = false;
        if (failure == null) {
            slot.acknowledged = next;
        } else {
            failed++;
            slot.doubtful = next;
        }
        free.release();
        ending |= failure != null;
    }

    /** Returns how many changes were asked for until now. */
    synchronized int changes() {
        return changes;
    }

    /** Ends; returns how many changes failed. The client is still connected, unless it was lost. */
    int end() throws InterruptedException {
        ending = true;
        thread.join(TestDaemon.TIMEOUT.toMillis());
        synchronized (this) {
            long unanswered = Stream.of(known).filter(slot -> slot.busy).count();
            assertFalse(thread.isAlive(), () -> "changes without an answer: " + unanswered + " of " + changes);
            return failed;
        }
    }

    /** Checks, when the load has ended, that each slot holds what it must. */
    synchronized void check(BlockingEscrow escrow) throws EscrowException {
        Map<Integer, SlotInfo> used =
                escrow.list(TAG).stream().collect(Collectors.toMap(SlotInfo::index, Function.identity()));
        List<String> wrong = new ArrayList<>();
        for (int i = 0; i < SLOTS; i++) {
            int held = EMPTY;
            if (used.containsKey(i)) {
                try (Entry entry = escrow.get(TAG, i)) {
                    held = ByteBuffer.wrap(entry.payload()).getInt();
                    if (files.fileOf(entry) != i % 4) {
                        wrong.add(i + ": another file");
                    }
                }
            }
            boolean doubtful = known[i].doubtful != null && known[i].doubtful == held;
            if (held != known[i].acknowledged && !doubtful) {
                wrong.add(i + ": " + held + " (expected: " + known[i].acknowledged + ")");
            }
        }
        assertEquals(List.of(), wrong, "slots that hold something else");
    }

    @Override
    public void close() {
        ending = true;
        client.close();
    }
}
