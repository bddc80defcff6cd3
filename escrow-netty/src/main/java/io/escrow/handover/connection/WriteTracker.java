package io.escrow.handover.connection;

import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandler;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import io.netty.channel.CombinedChannelDuplexHandler;
import io.netty.util.concurrent.EventExecutor;
import java.lang.reflect.Method;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Counts the writes that went into a handler and have not come out of it: two handlers, before it and behind it. A write has
 * come out when its promise is done, or is seen on the other side. A handler of Netty that keeps them in a queue is asked
 * instead: then nothing is in the way of each write.
 *
 * <p>Lives on the executor of the handler; {@link #kept} is called by the channel's event loop.
 */
final class WriteTracker {

    private static final String NETTY = "io.netty.";

    /** Those of Netty that keep writes back. By name: their module need not be there. */
    static final Set<String> OF_NETTY = Set.of(
            "io.netty.handler.stream.ChunkedWriteHandler", "io.netty.handler.traffic.AbstractTrafficShapingHandler");

    private static final ClassValue<Boolean> MAY_KEEP = new ClassValue<>() {
        @Override
        protected Boolean computeValue(Class<?> handler) {
            return mayKeep(handler);
        }
    };

    /** Those that need not be watched, because they can be asked. */
    private static final ClassValue<Boolean> ONLY_QUEUES = new ClassValue<>() {
        @Override
        protected Boolean computeValue(Class<?> handler) {
            return HandlerInspector.hasQueue(handler)
                    && writeOf(handler).getDeclaringClass().getName().startsWith(NETTY);
        }
    };

    private final ChannelHandlerContext watched;
    private final boolean asked;

    /** Weak: a handler may drop a promise and never complete it. Then the write counts on, but nothing is held here. */
    private final Map<ChannelPromise, Boolean> kept = Collections.synchronizedMap(new WeakHashMap<>());

    private final AtomicInteger count = new AtomicInteger();
    private final Before before = new Before();
    private final Behind behind = new Behind();
    private ChannelPromise current;
    private boolean passed;

    private WriteTracker(ChannelHandlerContext watched, boolean asked) {
        this.watched = watched;
        this.asked = asked;
    }

    /** Watches a handler. To be called before the handler has got anything to write. */
    @SuppressWarnings("deprecation") // it must run on the executor of the handler, and Netty has no other way to say so
    static WriteTracker install(ChannelHandlerContext watched) {
        boolean onLoop = watched.executor() == watched.channel().eventLoop();
        boolean asked = onLoop && ONLY_QUEUES.get(watched.handler().getClass());
        WriteTracker tracker = new WriteTracker(watched, asked);
        if (asked) {
            return tracker;
        }
        EventExecutor executor = onLoop ? null : watched.executor();
        watched.pipeline().addBefore(executor, watched.name(), null, tracker.before);
        watched.pipeline().addAfter(executor, watched.name(), null, tracker.behind);
        return tracker;
    }

    /**
     * Returns whether a handler may keep writes back: of Netty's those that are known to, of others those that override {@code
     * write}.
     */
    static boolean mayKeep(ChannelHandler handler) {
        return handler instanceof ChannelOutboundHandler && MAY_KEEP.get(handler.getClass());
    }

    private static boolean mayKeep(Class<?> handler) {
        if (handler.getEnclosingClass() == WriteTracker.class) {
            return false;
        }
        for (Class<?> c = handler; c != null; c = c.getSuperclass()) {
            if (OF_NETTY.contains(c.getName())) {
                return true;
            }
        }
        Class<?> declaring = writeOf(handler).getDeclaringClass();
        // That one delegates to a handler that nothing is known of, unless it is one of Netty's own.
        boolean combined = declaring == CombinedChannelDuplexHandler.class
                && (handler == declaring || !handler.getName().startsWith(NETTY));
        return combined || !declaring.getName().startsWith(NETTY);
    }

    private static Method writeOf(Class<?> handler) {
        try {
            return handler.getMethod("write", ChannelHandlerContext.class, Object.class, ChannelPromise.class);
        } catch (NoSuchMethodException e) {
            throw new IllegalStateException(handler + " is no ChannelOutboundHandler", e);
        }
    }

    boolean watches(ChannelHandlerContext handler) {
        return watched == handler;
    }

    ChannelHandler handler() {
        return watched.handler();
    }

    /** Returns how many writes the handler keeps back. */
    int kept() {
        if (watched.isRemoved()) {
            return 0;
        }
        return asked ? HandlerInspector.queued(watched.handler()) : count.get();
    }

    /** Leaves the pipeline, as the handler has: nothing is to be in the way of each write. */
    private void remove() {
        ChannelPipeline pipeline = watched.pipeline();
        pipeline.remove(behind);
        pipeline.remove(before);
    }

    private void keep(ChannelPromise promise) {
        count.incrementAndGet();
        kept.put(promise, true);
        promise.addListener(f -> end(promise));
    }

    private void end(ChannelPromise promise) {
        if (kept.remove(promise) != null) {
            count.decrementAndGet();
        }
    }

    /** Sees what comes out. */
    private final class Before extends ChannelOutboundHandlerAdapter {
        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            if (count.get() > 0) {
                end(promise);
            } else {
                // Under another promise it can only be this one's.
                passed = true;
            }
            passed |= promise == current;
            ctx.write(msg, promise);
        }
    }

    /** Sees what goes in. */
    private final class Behind extends ChannelOutboundHandlerAdapter {
        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            if (watched.isRemoved()) {
                ctx.write(msg, promise);
                // What is written may have led to another write, which has done so.
                if (!ctx.isRemoved()) {
                    remove();
                }
                return;
            }
            final ChannelPromise outer = current;
            final boolean outerPassed = passed;
            ChannelPromise seen = promise.unvoid();
            current = seen;
            passed = false;
            ctx.write(msg, seen);
            if (!passed && !seen.isDone()) {
                keep(seen);
            }
            current = outer;
            passed = outerPassed;
        }
    }
}
