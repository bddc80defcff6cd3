package io.escrow.handover.connection;

import io.escrow.handover.protocol.ProtocolContext;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;

/**
 * Holds what stands in the pipeline of a connection, or looks at it: made anew when the pipeline has changed. Lives on the channel's
 * event loop.
 */
final class ConnectionParts {

    private final ConnectionRules rules;
    private final CrashMarks marks;
    private final CrashMark mark;
    private ProtocolContext context;
    private ChannelHandlerContext ctx;
    private PipelineContexts contexts;
    private TlsGuard.Owner tlsOwner;
    private MessageGate gate;
    private WriteTrackers writes;
    private TlsLayer tls;
    private ConnectionSaver saver;
    private Rest rest;
    private CrashKeys keys;
    private boolean readsAreMarked;
    private boolean recognising;

    /**
     * Keeps the parts of a connection that has no pipeline yet.
     *
     * @param marks where a connection that is in the middle of something is marked; {@code null} if it is not
     * @param mark what marks it
     */
    ConnectionParts(ConnectionRules rules, CrashMarks marks, CrashMark mark) {
        this.rules = rules;
        this.marks = marks;
        this.mark = mark;
    }

    /** Begins with a pipeline that has nothing in it but the handler of the connection. */
    void attached(ProtocolContext protocolContext, ChannelHandlerContext handlerContext, TlsGuard.Owner guarded) {
        context = protocolContext;
        ctx = handlerContext;
        contexts = new PipelineContexts(ctx.pipeline());
        tlsOwner = guarded;
        mark.attached(ctx);
    }

    private Channel channel() {
        return ctx.channel();
    }

    /** Has the connection saved, and brought to rest, as its pipeline was when it was last looked at. */
    private void save() {
        saver = new ConnectionSaver(channel(), contexts, gate, rules.attributes(), writes, tls, saver);
        rest = new Rest(channel(), gate, saver, rules.readPause());
    }

    /** Finds the protocol that a pipeline speaks, if any, now that it is built; returns why that failed, or {@code null}. */
    Throwable recognise() {
        Throwable failure = null;
        try {
            if (tls == null && rules.tls() != null) {
                tls = TlsLayer.of(ctx.pipeline(), tlsOwner, mark, rules.tls());
            }
            installGate();
        } catch (Throwable e) {
            failure = e;
        }
        writes = new WriteTrackers();
        watch();
        return failure;
    }

    private void installGate() {
        contexts.look();
        recognising = true;
        try {
            gate = rules.protocols().install(context);
        } finally {
            recognising = false;
        }
    }

    /** Does what {@link ProtocolContext#find} says. One look at the pipeline is enough for all protocols that are asked in turn. */
    ChannelHandler find(String className) {
        for (ChannelHandlerContext each : recognising ? contexts.seen() : contexts.look()) {
            for (Class<?> c = each.handler().getClass(); c != null; c = c.getSuperclass()) {
                if (c.getName().equals(className)) {
                    return each.handler();
                }
            }
        }
        return null;
    }

    /** Watches the pipeline as it is now. */
    private void watch() {
        if (writes.watch(contexts.look(), rules.immovable())) {
            contexts.look();
        }
        save();
        if (keys == null && tls != null && marks != null && rules.crashKeys()) {
            keys = new CrashKeys(tls);
        }
        if (marks != null && (tls == null || keys != null)) {
            mark.enable(gate, keys);
        }
        if (mark.isBeforeReads() && !readsAreMarked) {
            readsAreMarked = true;
            MarkingReadAllocator.install(channel(), mark);
        }
    }

    /** Finds what has come into the pipeline at the end of a TLS handshake, before any message has come or gone. */
    void pipelineChanged() {
        try {
            if (gate == null) {
                installGate();
            }
            watch();
        } catch (Throwable e) {
            ctx.fireExceptionCaught(e);
            channel().close();
        }
    }

    /** Goes on with the TLS of another process. */
    void restoreTls(byte[] state) {
        if (rules.tls() != null) {
            tls = TlsLayer.restore(ctx.pipeline(), tlsOwner, mark, state);
        }
    }

    /** Finds the place for the mark of a connection that was accepted. Before its channel has an event loop. */
    void accepted(Channel channel) {
        mark.keepIn(marks == null ? null : marks.add(channel));
    }

    /** Marks the connection in the memory of this process from now on. */
    void markHere() {
        accepted(channel());
    }

    /** Returns where the connection is in its pipeline; {@code null} before it is attached. */
    ChannelHandlerContext context() {
        return ctx;
    }

    /** Returns what looks at the pipeline. */
    PipelineContexts contexts() {
        return contexts;
    }

    /** Returns the gate before the decoders; {@code null} if there is none. */
    MessageGate gate() {
        return gate;
    }

    /** Returns the TLS of the connection; {@code null} if it has none, or the server was not told of it. */
    TlsLayer tls() {
        return tls;
    }

    /** Returns what knows the keys that outlive a crash; {@code null} if none do. */
    CrashKeys keys() {
        return keys;
    }

    /** Returns what saves the connection, as it last looked at the pipeline. */
    ConnectionSaver saver() {
        if (saver == null) {
            // The pipeline is not built yet.
            contexts.look();
            save();
        }
        return saver;
    }

    Rest rest() {
        saver();
        return rest;
    }
}
