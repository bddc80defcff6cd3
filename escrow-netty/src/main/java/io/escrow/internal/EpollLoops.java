package io.escrow.internal;

import io.netty.channel.IoEventLoop;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.util.concurrent.EventExecutor;

/** Recognises the event loops of Netty's epoll transport. Netty 4.1 has a class of its own for them, 4.2 a handler in each loop. */
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

    /** Is loaded with Netty 4.2 only, which has the classes that it needs. */
    private static final class HandlerLoops {
        static boolean contain(EventExecutor loop) {
            return loop instanceof IoEventLoop io && io.isCompatible(EpollIoHandle.class);
        }
    }
}
