package io.escrow.testing;

import io.netty.channel.DefaultEventLoopGroup;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.util.concurrent.DefaultThreadFactory;

/** Makes event loop groups in the one way that Netty 4.1 and 4.2 share: the tests run with both. */
@SuppressWarnings("deprecation") // in 4.2, whose own way 4.1 does not have
public final class EventLoopGroups {

    private EventLoopGroups() {}

    /** Makes a group of the epoll transport. */
    public static EventLoopGroup epoll(int loops) {
        return new EpollEventLoopGroup(loops);
    }

    /** Makes a group of the epoll transport whose threads are daemons and have a name. */
    public static EventLoopGroup epoll(int loops, String name) {
        return new EpollEventLoopGroup(loops, new DefaultThreadFactory(name, true));
    }

    /** Makes a group of one loop of the NIO transport. */
    public static EventLoopGroup nio() {
        return new NioEventLoopGroup(1);
    }

    /** Makes a group of one loop for channels within a process. */
    public static EventLoopGroup local() {
        return new DefaultEventLoopGroup(1);
    }
}
