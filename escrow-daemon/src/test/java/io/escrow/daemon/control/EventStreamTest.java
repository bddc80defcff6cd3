package io.escrow.daemon.control;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.escrow.EscrowException;
import io.escrow.control.EventView;
import io.escrow.control.Json;
import io.escrow.daemon.config.DaemonOptions;
import io.escrow.daemon.events.EventLog;
import io.escrow.daemon.events.FailureDetector;
import io.escrow.daemon.store.Store;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.DefaultEventLoop;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.HttpContent;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Time is the operator's connection's own here; the daemon's event loop is a real one, which may be busy. */
class EventStreamTest {

    private final DefaultEventLoop loop = new DefaultEventLoop();
    private final EventLog eventLog = new EventLog();
    private final EmbeddedChannel http = new EmbeddedChannel(new ChannelInboundHandlerAdapter());

    @BeforeEach
    void begin(@TempDir Path directory) throws Exception {
        DaemonOptions options = DaemonOptions.of(directory.resolve("s").toString());
        http.freezeTime();
        new EventStream(
                        http.pipeline().lastContext(),
                        new ControlService(loop, options, store(options), eventLog, new FailureDetector(), "1"))
                .begin();
        look();
        assertEquals(List.of("watching"), names());
    }

    private static Store store(DaemonOptions options) throws EscrowException {
        return new Store(1, options.storeLimits());
    }

    @AfterEach
    void end() {
        http.finishAndReleaseAll();
        loop.shutdownGracefully(0, 0, TimeUnit.SECONDS).syncUninterruptibly();
    }

    @Test
    void tellsEachEventOnce() throws Exception {
        call(() -> eventLog.info("one", Map.of("n", 1)));
        look();
        call(() -> eventLog.info("two", Map.of()));
        look();
        look();

        assertEquals(List.of("one", "two"), names());
    }

    @Test
    void tellsEachEventOnceAlsoWhenTheDaemonIsBusy() throws Exception {
        CountDownLatch busy = new CountDownLatch(1);
        loop.execute(() -> {
            try {
                busy.await();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
            eventLog.info("one", Map.of());
        });
        for (int i = 0; i < 3; i++) {
            http.advanceTimeBy(250, TimeUnit.MILLISECONDS);
            http.runScheduledPendingTasks();
        }
        busy.countDown();
        call(() -> {});
        look();

        assertEquals(List.of("one"), names());
    }

    @Test
    void tellsHowManyEventsWereMissed() throws Exception {
        call(() -> {
            for (int i = 0; i < 300; i++) {
                eventLog.info("event " + i, Map.of());
            }
        });
        look();

        List<EventView> events = events();
        assertEquals(257, events.size());
        assertEquals("events missed", events.get(0).event());
        assertEquals(Map.of("events", 44L), events.get(0).details());
        assertEquals("event 44", events.get(1).event());
    }

    @Test
    void looksNoMoreWhenTheOperatorHasGone() {
        http.close();
        http.runPendingTasks();

        assertEquals(-1, http.runScheduledPendingTasks());
    }

    /** Lets a quarter of a second pass, and what was asked then be answered. */
    private void look() throws Exception {
        http.advanceTimeBy(250, TimeUnit.MILLISECONDS);
        http.runScheduledPendingTasks();
        call(() -> {});
        http.runPendingTasks();
    }

    private void call(Runnable task) throws Exception {
        loop.submit(task).get();
    }

    private List<String> names() {
        return events().stream().map(EventView::event).toList();
    }

    private List<EventView> events() {
        List<EventView> events = new ArrayList<>();
        for (Object out = http.readOutbound(); out != null; out = http.readOutbound()) {
            if (out instanceof HttpContent content) {
                content.content().toString(UTF_8).lines().forEach(l -> events.add(Json.read(l, EventView.class)));
                content.release();
            }
        }
        return events;
    }
}
