package io.escrow.handover.connection;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.ImmediateEventExecutor;
import io.netty.util.concurrent.OrderedEventExecutor;
import java.util.Collection;
import java.util.HashSet;
import java.util.Set;

/**
 * The executors on which handlers of a pipeline run that do not run on the channel's event loop.
 *
 * @param foreign the executors
 * @param hops how often a message changes from one thread to another on its way from the head of the pipeline to its tail
 */
public record PipelineExecutors(Set<EventExecutor> foreign, int hops) {

    /** What most pipelines have. */
    public static final PipelineExecutors NONE = new PipelineExecutors(Set.of(), 0);

    /** What a message may cause besides going in and coming out: it is handed on once, and a write is reported. */
    private static final int MORE_TURNS = 2;

    /** Reads the executors of the handlers of a channel. Called on its event loop. */
    static PipelineExecutors of(Channel channel, ChannelHandlerContext[] contexts) {
        Set<EventExecutor> foreign = null;
        EventExecutor before = channel.eventLoop();
        int hops = 0;
        for (ChannelHandlerContext ctx : contexts) {
            EventExecutor executor = executor(ctx);
            if (executor != before) {
                before = executor;
                hops++;
            }
            if (executor != channel.eventLoop()) {
                foreign = foreign == null ? new HashSet<>() : foreign;
                foreign.add(executor);
            }
        }
        return foreign == null ? NONE : new PipelineExecutors(Set.copyOf(foreign), hops + 1);
    }

    /** Returns the executor of a handler; the event loop's for one that is called by whatever thread calls. */
    private static EventExecutor executor(ChannelHandlerContext ctx) {
        return ctx.executor() instanceof ImmediateEventExecutor ? ctx.channel().eventLoop() : ctx.executor();
    }

    /**
     * Returns why it can't be known when the executor of a handler is done with a connection; {@code null} if it can. Called
     * on the channel's event loop.
     */
    static String whyUnknown(ChannelHandlerContext ctx, ImmovableHandlers immovable) {
        EventExecutor executor = executor(ctx);
        if (executor == ctx.channel().eventLoop()) {
            return null;
        }
        String handler = ctx.handler().getClass().getName();
        if (executor.isShuttingDown()) {
            return "handler " + handler + " runs on an executor that was shut down: shut it down after the handover";
        }
        if (executor instanceof OrderedEventExecutor || immovable.isVouchedFor(ctx.handler())) {
            return null;
        }
        return "handler " + handler + " runs on an executor without order, "
                + executor.getClass().getSimpleName()
                + ": count its work by PendingWork in a handler before it, and vouch for its class";
    }

    /** Returns the class of the first handler of a pipeline that does not run on the event loop. By any thread. */
    public static String foreignHandler(Channel channel) {
        for (String name : channel.pipeline().names()) {
            ChannelHandlerContext ctx = channel.pipeline().context(name);
            if (ctx != null && executor(ctx) != channel.eventLoop()) {
                return ctx.handler().getClass().getName();
            }
        }
        return "none";
    }

    /** Returns whether all handlers run on the event loop. */
    public boolean isEmpty() {
        return foreign.isEmpty();
    }

    /** Returns the executors of both. */
    public PipelineExecutors and(PipelineExecutors other) {
        if (other.isEmpty()) {
            return this;
        }
        Set<EventExecutor> all = new HashSet<>(foreign);
        all.addAll(other.foreign);
        return new PipelineExecutors(all, Math.max(hops, other.hops));
    }

    /** Adds all executors of many pipelines. */
    public static PipelineExecutors all(Collection<PipelineExecutors> pipelines) {
        PipelineExecutors all = NONE;
        for (PipelineExecutors pipeline : Set.copyOf(pipelines)) {
            all = all.and(pipeline);
        }
        return all;
    }

    /** Returns how often all executors must have had a turn until a message has come in, and what it led to has come out. */
    public int turns() {
        return 2 * hops + MORE_TURNS;
    }
}
