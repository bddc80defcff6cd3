package io.escrow.handover.connection;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.handover.protocol.HandoverEvent;
import io.escrow.handover.protocol.Movable;
import io.escrow.handover.store.ChannelRecord;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.socket.DuplexChannel;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Puts an adopted connection together again. Called on the channel's event loop. */
final class ConnectionRestorer {

    private final ChannelHandlerContext ctx;
    private final Channel channel;
    private final PipelineContexts contexts;
    private final MessageGate gate;
    private final TlsLayer tls;
    private final MovedAttributes attributes;
    private final ChannelRecord record;

    /** Restores what a record says, from a context at the head of the pipeline; gate and TLS may be {@code null}. */
    ConnectionRestorer(
            ChannelHandlerContext ctx,
            PipelineContexts contexts,
            MessageGate gate,
            TlsLayer tls,
            MovedAttributes attributes,
            ChannelRecord record) {
        this.ctx = ctx;
        this.contexts = contexts;
        this.channel = ctx.channel();
        this.gate = gate;
        this.tls = tls;
        this.attributes = attributes;
        this.record = record;
    }

    /**
     * Brings the pipeline to where it was, and gives its handlers their state. Bytes are not processed yet.
     *
     * @return a future that fails if the pipeline can't be built, or knows nothing of a part of the state that must be
     *     restored
     */
    CompletableFuture<Void> restore() {
        if (record.has(ChannelRecord.OUTPUT_SHUT)) {
            ((DuplexChannel) channel).shutdownOutput();
        }
        byte[] state = gate == null ? null : record.get(ChannelRecord.PROTOCOL + gate.protocol());
        return state == null ? restoreKnown() : gate.restore(state).thenCompose(rebuilt -> restoreKnown());
    }

    private CompletableFuture<Void> restoreKnown() {
        try {
            List<String> unknown = record.unknownRequired(this::isKnown);
            if (!unknown.isEmpty()) {
                return CompletableFuture.failedFuture(new EscrowException(
                        Status.EOPNOTSUPP,
                        "no handler of its pipeline takes over the state " + String.join(", ", unknown)
                                + ": a version of the program with such a handler can adopt it"));
            }
            restoreHandlers();
            return CompletableFuture.completedFuture(null);
        } catch (Throwable e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private boolean isKnown(String section) {
        if (section.startsWith(ChannelRecord.COLLECTED)) {
            ChannelHandler decoder = channel.pipeline().get(section.substring(ChannelRecord.COLLECTED.length()));
            return decoder != null && ConnectionSaver.isDecoder(decoder);
        }
        if (section.startsWith(ChannelRecord.HANDLER)) {
            for (ChannelHandlerContext handler : contexts.look()) {
                if (handler.handler() instanceof Movable movable
                        && section.equals(ChannelRecord.HANDLER + movable.section())) {
                    return true;
                }
            }
        }
        if (section.equals(ChannelRecord.TLS) || section.equals(ChannelRecord.UNDECRYPTED)) {
            return tls != null && record.has(ChannelRecord.TLS);
        }
        return attributes.isKnown(section)
                || (gate != null && section.equals(ChannelRecord.PROTOCOL + gate.protocol()));
    }

    private void restoreHandlers() {
        for (ChannelHandlerContext handler : contexts.look()) {
            if (handler.handler() instanceof Movable movable) {
                byte[] state = record.get(ChannelRecord.HANDLER + movable.section());
                if (state != null) {
                    movable.restore(handler, Unpooled.wrappedBuffer(state));
                }
            }
        }
        ctx.fireUserEventTriggered(record.clean() ? HandoverEvent.ADOPTED : HandoverEvent.FOUND_AFTER_CRASH);
    }

    /** Gives decoders what they had collected, and leaves to the first read what was read and not processed. */
    void feed(DeferredEvents deferred) {
        byte[] undecrypted = record.get(ChannelRecord.UNDECRYPTED);
        if (undecrypted != null) {
            deferred.restore(Unpooled.copiedBuffer(undecrypted));
        }
        byte[] held = record.get(ChannelRecord.GATE);
        if (held != null && record.has(ChannelRecord.TLS)) {
            deferred.restoreDecrypted(Unpooled.copiedBuffer(held), tls::fireDecrypted);
        } else if (held != null) {
            deferred.restore(Unpooled.copiedBuffer(held));
        }
        ConnectionSaver.feedDecoders(channel.pipeline(), record);
    }
}
