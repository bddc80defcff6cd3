package io.escrow.daemon.events;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.handler.codec.DecoderException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class FailureDetectorTest {

    private final FailureDetector failures = new FailureDetector();

    @Test
    void classThatCannotBeLoadedIsAFailure() {
        Error missing = new NoClassDefFoundError("a/B");
        failures.check(new DecoderException(missing));
        failures.check(new OutOfMemoryError("after the first"));

        assertSame(missing, failures.failure().join());
    }

    @Test
    void errorOfTheVirtualMachineIsAFailure() {
        failures.check(new OutOfMemoryError("Java heap space"));

        assertTrue(failures.failure().isDone());
    }

    @Test
    void anythingElseConcernsOneConnection() {
        failures.check(new IllegalStateException("x"));
        failures.check(new AssertionError("x"));

        assertFalse(failures.failure().isDone());
    }

    @Test
    void guardedTaskFailsAsBefore() {
        Error missing = new NoSuchMethodError("a.B.c");
        Runnable guarded = failures.guard(() -> {
            throw missing;
        });

        assertSame(missing, assertThrows(NoSuchMethodError.class, guarded::run));
        assertSame(missing, failures.failure().join());
    }

    @Test
    void endOfAThreadIsAFailure() throws Exception {
        ThreadFactory threads = failures.threads("loop");
        Thread thread = threads.newThread(() -> {});
        thread.start();

        assertTrue(failures.failure().get(1, TimeUnit.MINUTES).getMessage().contains("\"loop\" has ended"));
    }

    @Test
    void endOfAnEventLoopIsNoneWhenTheDaemonEnds() {
        MultiThreadIoEventLoopGroup group =
                new MultiThreadIoEventLoopGroup(1, failures.threads("loop"), EpollIoHandler.newFactory());
        group.submit(() -> {}).syncUninterruptibly();
        failures.ending();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();

        assertFalse(failures.failure().isDone());
    }
}
