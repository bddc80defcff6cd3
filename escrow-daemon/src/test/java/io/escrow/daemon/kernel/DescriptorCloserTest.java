package io.escrow.daemon.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.embedded.EmbeddedChannel;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class DescriptorCloserTest {

    private static final int BATCH = DescriptorCloser.BATCH;

    /** Its loop runs nothing by itself: no moment is ever over. */
    private final EmbeddedChannel timer = new EmbeddedChannel();

    private final DescriptorCloser closer = new DescriptorCloser(timer.eventLoop());
    private final Semaphore closed = new Semaphore(0);
    private final CountDownLatch peer = new CountDownLatch(1);

    @AfterEach
    void close() {
        peer.countDown();
        closer.close();
        timer.finishAndReleaseAll();
    }

    private void add(int closings) {
        for (int i = 0; i < closings; i++) {
            closer.execute(closed::release);
        }
    }

    private void addOneThatLingers(CountDownLatch begun) {
        closer.execute(() -> {
            begun.countDown();
            try {
                peer.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
    }

    private void assertClosed(int closings) throws InterruptedException {
        assertTrue(closed.tryAcquire(closings, 10, TimeUnit.SECONDS), () -> closed.availablePermits() + " were closed");
    }

    @Test
    void aBatchWakesAThread() throws InterruptedException {
        add(BATCH);
        assertClosed(BATCH);
    }

    @Test
    void othersCloseWhatComesBehindOneThatLingers() throws InterruptedException {
        CountDownLatch begun = new CountDownLatch(1);
        addOneThatLingers(begun);
        add(BATCH - 1);
        assertTrue(begun.await(10, TimeUnit.SECONDS));
        add(BATCH);
        assertEquals(2 * BATCH - 1, closer.waiting(), "the thread may go on soon");
        add(1);
        assertClosed(2 * BATCH);
    }

    @Test
    void closingWaitsForAllThatDoNotLinger() throws InterruptedException {
        add(3);
        closer.close();
        assertClosed(3);
    }
}
