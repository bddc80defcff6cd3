package io.escrow.handover;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.escrow.internal.EpollLoops;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.SingleThreadEventExecutor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A crowd comes and goes, and what it has used works on. */
class RehearsalCrowdTest {

    private final EventLoopGroup group = EpollLoops.newLoop(new DefaultThreadFactory("crowd", true));

    @AfterEach
    void end() {
        group.shutdownGracefully(0, 10, TimeUnit.SECONDS).awaitUninterruptibly();
    }

    @Test
    void anEventLoopThatHadManyTasksRunsOn() throws Exception {
        EventLoop loop = group.next();
        RehearsalCrowd.queue(loop);

        assertEquals(0, pending(loop));
        assertEquals("next", loop.submit(() -> "next").get(30, TimeUnit.SECONDS));
    }

    private static int pending(EventLoop loop) {
        return ((SingleThreadEventExecutor) loop).pendingTasks();
    }

    @Test
    void anEventLoopThatHasEndedIsNotWaitedFor() {
        EventLoop loop = group.next();
        end();

        assertThrows(RejectedExecutionException.class, () -> RehearsalCrowd.queue(loop));
    }
}
