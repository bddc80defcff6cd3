package io.escrow.internal;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoEventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.concurrent.EventExecutor;
import java.util.concurrent.ThreadFactory;

/** Recognises and makes event loops of Netty's epoll transport. Netty 4.1 has a class of its own for them, 4.2 a handler in each loop. */
public final class EpollLoops {

    /** What a message says is needed. */
    public static final String GROUP =
            "an epoll event loop group: EpollIoHandler, or EpollEventLoopGroup with Netty 4.1";

    private static final boolean IS_4_1 = isMissing("io.netty.channel.IoEventLoop");

    private static final String LOOP_OF_4_1 = "io.netty.channel.epoll.EpollEventLoop";

    private EpollLoops() {}

    private static boolean isMissing(String name) {
        try {
            Class.forName(name, false, EpollLoops.class.getClassLoader());
            return false;
        } catch (ClassNotFoundException e) {
            return true;
        }
    }

    /** Returns whether channels of the epoll transport can be registered with a loop. */
    static boolean contain(EventExecutor loop) {
        return IS_4_1 ? LOOP_OF_4_1.equals(loop.getClass().getName()) : HandlerLoops.contain(loop);
    }

    /** Makes a group of one event loop, of the class that programs for this version of Netty use. */
    public static EventLoopGroup newLoop(ThreadFactory threads) {
        return IS_4_1 ? newLoopOf41(threads) : HandlerLoops.newLoop(threads);
    }

    /** Makes a group of one event loop, of the class that Netty 4.1 has, and 4.2 has still. */
    @SuppressWarnings("deprecation") // Netty 4.1 has no other
    public static EventLoopGroup newLoopOf41(ThreadFactory threads) {
        return new EpollEventLoopGroup(1, threads);
    }

    /** Is loaded with Netty 4.2 only, which has the classes that it needs. */
    private static final class HandlerLoops {
        static EventLoopGroup newLoop(ThreadFactory threads) {
            return new MultiThreadIoEventLoopGroup(1, threads, EpollIoHandler.newFactory());
        }

        static boolean contain(EventExecutor loop) {
            return loop instanceof IoEventLoop io && io.isCompatible(EpollIoHandle.class);
        }
    }
}
