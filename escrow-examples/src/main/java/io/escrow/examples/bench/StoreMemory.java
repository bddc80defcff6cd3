package io.escrow.examples.bench;

import io.escrow.Entry;
import io.escrow.SlotKey;
import io.escrow.client.EscrowClient;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufAllocatorMetricProvider;
import java.io.IOException;
import java.util.Iterator;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.stream.IntStream;

/** Measures the memory of the client and of the daemon while requests are waiting. */
final class StoreMemory {

    private static final int UNITS_PER_MB = 1024;

    private final EscrowClient client;
    private final StoreLoad load;
    private final long daemon;
    private final int[] numbers;

    /** Measures with up to a number of waiting requests, with a tenth of them, and with a three-hundredth. */
    StoreMemory(EscrowClient client, StoreLoad load, long daemon, int most) {
        this.client = client;
        this.load = load;
        this.daemon = daemon;
        numbers = new int[] {most / 300, most / 10, most};
    }

    /** Fills the slots, measures, and prints a table. */
    void print() throws IOException, InterruptedException, ExecutionException {
        load.run(StoreLoad.Way.BULK, StoreLoad.Operation.ADD);
        System.out.printf("%n%-32s %14s %14s %14s%n", "", "client", "client", "daemon");
        System.out.printf("%-32s %14s %14s %14s%n", "waiting requests", "direct buffers", "heap after GC", "memory");
        row("none", new Measured(this));
        for (int waiting : numbers) {
            row(String.format("%,d gets of one bulk call", waiting), whileBulkWaits(waiting));
        }
        for (int waiting : numbers) {
            row(String.format("%,d gets, one call each", waiting), whileSinglesWait(waiting));
        }
    }

    private static void row(String text, Measured measured) {
        System.out.printf(
                "%-32s %11.1f MB %11.1f MB %11.1f MB%n",
                text,
                (double) measured.directKb / UNITS_PER_MB,
                (double) measured.heapKb / UNITS_PER_MB,
                (double) measured.daemonKb / UNITS_PER_MB);
    }

    /** Measures in the middle of a bulk call, when half of its requests have been taken. */
    private Measured whileBulkWaits(int waiting) throws InterruptedException, ExecutionException {
        CompletableFuture<Measured> measured = new CompletableFuture<>();
        Iterator<SlotKey> keys = load.keys(2 * waiting);
        int[] taken = {0};
        Iterator<SlotKey> counting = new Iterator<>() {
            @Override
            public boolean hasNext() {
                return keys.hasNext();
            }

            @Override
            public SlotKey next() {
                if (++taken[0] == waiting) {
                    measured.complete(new Measured(StoreMemory.this));
                }
                return keys.next();
            }
        };
        client.getAll(counting, Entry::close).get();
        return measured.get();
    }

    /** Measures while the event loop is blocked, so that all requests are waiting. */
    private Measured whileSinglesWait(int waiting) throws InterruptedException, ExecutionException {
        CountDownLatch release = new CountDownLatch(1);
        client.eventLoop().execute(() -> await(release));
        CompletableFuture<?>[] requests = IntStream.range(0, waiting)
                .mapToObj(i -> load.request(StoreLoad.Operation.GET, i % load.slots()))
                .toArray(CompletableFuture[]::new);
        Measured measured = new Measured(this);
        release.countDown();
        CompletableFuture.allOf(requests).get();
        return measured;
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private long daemonKb() {
        try {
            return ProcessSize.memoryKb(daemon);
        } catch (IOException e) {
            return 0;
        }
    }

    /** The sizes at one moment. */
    private static final class Measured {
        final long directKb;
        final long heapKb;
        final long daemonKb;

        Measured(StoreMemory memory) {
            System.gc();
            Runtime runtime = Runtime.getRuntime();
            heapKb = (runtime.totalMemory() - runtime.freeMemory()) / UNITS_PER_MB;
            directKb = ((ByteBufAllocatorMetricProvider) ByteBufAllocator.DEFAULT)
                            .metric()
                            .usedDirectMemory()
                    / UNITS_PER_MB;
            daemonKb = memory.daemonKb();
        }
    }
}
