package io.escrow.daemon.control;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.SlotKey;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.config.StoreLimits;
import io.escrow.daemon.events.EventLog;
import io.escrow.daemon.events.FailureDetector;
import io.escrow.daemon.store.RetainedSlot;
import io.escrow.daemon.store.Store;
import io.escrow.daemon.store.StoredSlot;
import io.netty.channel.DefaultEventLoop;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ControlServiceTest {

    private final DefaultEventLoop loop = new DefaultEventLoop();
    private final Store store = new Store(2, new StoreLimits(1_000, 1_000, 0));
    private final BlockingQueue<Runnable> tasks = new LinkedBlockingQueue<>();
    private final List<Integer> taken = new ArrayList<>();
    private ControlService service;

    @BeforeEach
    void fill(@TempDir Path directory) throws Exception {
        for (int i = 0; i < 40; i++) {
            store.add(1, i, new StoredSlot(-1, new byte[1], null));
        }
        service = new ControlService(
                loop,
                DaemonOptions.of(directory.resolve("s").toString()),
                store,
                new EventLog(),
                new FailureDetector(),
                "test");
    }

    @AfterEach
    void end() {
        loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    private void take(List<RetainedSlot> page) {
        taken.add(page.size());
        page.forEach(RetainedSlot::close);
    }

    /** Waits until the event loop has done what it was asked for. */
    private void settle() {
        loop.submit(() -> {}).syncUninterruptibly();
    }

    @Test
    void operatorsTogetherHoldOnePage() throws InterruptedException {
        for (int i = 0; i < 24; i++) {
            service.page(new SlotKey(0, 0), 1, tasks::add, this::take);
        }
        service.slot(new SlotKey(1, 7), tasks::add, slot -> take(List.of(slot)));
        for (int i = 0; i < 25; i++) {
            Runnable next = tasks.poll(10, TimeUnit.SECONDS);
            settle();
            assertTrue(tasks.isEmpty(), "slots are retained while others are");
            next.run();
        }
        assertEquals(24, taken.indexOf(1));
        assertEquals(ControlService.PAGE, taken.get(0));
    }

    @Test
    void anOperatorWhoIsGoneDoesNotKeepOthersWaiting() {
        service.page(
                new SlotKey(0, 0),
                1,
                task -> {
                    throw new RejectedExecutionException("the operators' event loop has ended");
                },
                this::take);
        assertTrue(service.slot(new SlotKey(0, 0), tasks::add, slot -> {})
                .handle((nothing, failure) -> failure != null)
                .join());
        service.page(new SlotKey(0, 0), 1, Runnable::run, this::take);
        await().until(() -> taken.equals(List.of(ControlService.PAGE)));
    }
}
