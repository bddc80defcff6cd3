package io.escrow.handover.connection;

import io.escrow.Deposit;
import io.escrow.handover.protocol.ConnectionMovedException;
import io.escrow.handover.protocol.Movable;
import io.escrow.handover.protocol.PendingWork;
import io.escrow.handover.store.ChannelRecord;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandler;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.ByteToMessageCodec;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Takes bytes and state out of a connection without its peer or its handlers noticing, so that the connection can be put
 * together elsewhere, or go on here. Called on the channel's event loop.
 */
final class ConnectionSaver {

    private final Channel channel;
    private final MessageGate gate;
    private final MovedAttributes attributes;
    private final WriteTrackers writes;
    private final TlsLayer tls;
    private final PipelineContexts contexts;

    /** What was taken out of decoders, by their names: as soon as it is, in case that another one fails. */
    private Map<String, byte[]> collected = Map.of();

    /** How many writes are in a record; 0 as long as the connection is not taken apart. */
    private int movedWrites;

    /** Those that leave the pipeline, see {@link ImmovableHandlers#isOfBeginning}. */
    private List<ChannelHandler> ofBeginning = List.of();

    /**
     * Saves the connection of a channel whose pipeline is built.
     *
     * @param contexts of the pipeline, as it is now
     * @param gate the gate of the connection, {@code null} if it has none; as are the trackers and the TLS
     * @param before what saved it while its pipeline was another one; {@code null} if nothing did
     */
    ConnectionSaver(
            Channel channel,
            PipelineContexts contexts,
            MessageGate gate,
            MovedAttributes attributes,
            WriteTrackers writes,
            TlsLayer tls,
            ConnectionSaver before) {
        this.channel = channel;
        this.gate = gate;
        this.attributes = attributes;
        this.writes = writes;
        this.tls = tls;
        this.contexts = contexts;
        if (before != null) {
            ofBeginning = before.ofBeginning;
        }
        for (ChannelHandlerContext ctx : contexts.seen()) {
            ChannelHandler handler = ctx.handler();
            if (ImmovableHandlers.isOfBeginning(handler) && !isTls(handler) && !ofBeginning.contains(handler)) {
                ofBeginning = ofBeginning.isEmpty() ? new ArrayList<>() : ofBeginning;
                ofBeginning.add(handler);
            }
        }
    }

    /** Looks at the pipeline as it is now: what is asked of the handlers is asked of those that are found here. */
    ConnectionSaver look() {
        contexts.look();
        return this;
    }

    /** Returns the executors on which handlers run that do not run on the event loop. */
    PipelineExecutors executors() {
        return PipelineExecutors.of(channel, contexts.seen());
    }

    /** Returns why the connection can't be moved at all; {@code null} if it can. */
    String whyImmovable(ImmovableHandlers immovable) {
        String whyTls = tls == null ? null : tls.whyImmovable();
        if (whyTls != null) {
            return whyTls;
        }
        boolean atRest = gate == null || gate.isAtRest();
        for (ChannelHandlerContext ctx : contexts.seen()) {
            ChannelHandler handler = ctx.handler();
            String reason = handler instanceof Movable movable
                    ? movable.whyImmovable(ctx)
                    : isTls(handler) ? null : named(immovable.whyImmovable(handler, gate), ctx);
            if (reason == null) {
                reason = PipelineExecutors.whyUnknown(ctx, immovable);
            }
            // Within a message not yet: some handlers come for one response, and leave with it.
            if (reason == null && writes != null && atRest) {
                reason = writes.whyUnknown(ctx, immovable);
            }
            if (reason != null) {
                return reason;
            }
        }
        for (int i = 0; i < ofBeginning.size(); i++) {
            ChannelHandler handler = ofBeginning.get(i);
            if (channel.pipeline().context(handler) == null && !immovable.isVouchedFor(handler)) {
                return "a " + handler.getClass().getSimpleName()
                        + " has left the pipeline, and in the next process it would begin again";
            }
        }
        return gate == null ? null : gate.whyImmovable();
    }

    private boolean isTls(ChannelHandler handler) {
        return tls != null && tls.has(handler);
    }

    /** Adds the class of a handler to a reason, which is the same for several. */
    private static String named(String reason, ChannelHandlerContext handler) {
        if (reason == null) {
            return null;
        }
        String simple = handler.handler().getClass().getSimpleName();
        return reason + " (" + (simple.isEmpty() ? handler.name() : simple) + ")";
    }

    /** Returns what is half-read or half-processed; {@code null} if nothing is. */
    String whyBusy() {
        if (gate != null && !gate.isAtRest()) {
            return "protocol " + gate.protocol() + " is in the middle of a message or owes an answer";
        }
        String tlsBusy = tls == null ? null : tls.whyBusy();
        if (tlsBusy != null) {
            return tlsBusy;
        }
        if (!onlyBytesWait()) {
            return "something other than bytes waits to be written";
        }
        for (ChannelHandlerContext ctx : contexts.seen()) {
            ChannelHandler handler = ctx.handler();
            String reason = HandlerInspector.OF_NETTY.whyBusy(handler);
            if (reason != null) {
                return "handler " + handler.getClass().getName() + ": " + reason;
            }
            if (handler instanceof Movable movable && !movable.isAtRest(ctx)) {
                return "handler " + handler.getClass().getName() + " is not at rest";
            }
        }
        return null;
    }

    /** Returns what is under way although nothing more has to be read for it; {@code null} if nothing is. */
    String whyWorking() {
        int pending = PendingWork.pending(channel);
        if (pending > 0) {
            return pending == 1 ? "a piece of work is pending" : pending + " pieces of work are pending";
        }
        return writes == null ? null : writes.whyBusy();
    }

    /** Returns what the handlers want to have after a crash. */
    ChannelRecord checkpoint(String listener) {
        ChannelRecord.Builder record = ChannelRecord.builder(listener, false);
        // Nobody restores what is lost in a crash.
        if (gate != null && gate.whyLostInCrash() == null) {
            saveProtocol(record);
        }
        saveHandlers(record);
        return record.build();
    }

    /**
     * Takes out all bytes and state of a connection whose channel is deregistered. The collected bytes of decoders are
     * out of them afterwards: {@link #putBack} feeds them again.
     *
     * @param listener the name of the listener that the connection came from
     * @param restedMillis when the connection came to rest, in milliseconds since 1970
     * @param deferred what has come in since
     * @param farewell what is sent to the peer if no process claims the connection
     * @throws IllegalStateException if something other than bytes waits to be written
     */
    ChannelRecord takeApart(String listener, long restedMillis, DeferredEvents deferred, byte[] farewell) {
        ChannelRecord.Builder record = ChannelRecord.builder(listener, true);
        record.rested(restedMillis);
        byte[] unsent = unsent();
        record.put(ChannelRecord.UNSENT, unsent);
        ChannelOutboundBuffer outbound = channel.unsafe().outboundBuffer();
        final int unsentWrites = outbound == null ? 0 : outbound.size();
        if (channel instanceof DuplexChannel duplex && duplex.isOutputShutdown()) {
            record.mark(ChannelRecord.OUTPUT_SHUT);
        }
        if (gate != null) {
            saveProtocol(record);
        }
        saveHandlers(record);
        for (ChannelHandlerContext ctx : contexts.seen()) {
            ChannelHandler handler = ctx.handler();
            if (isDecoder(handler) && !isTls(handler) && (gate == null || !gate.feeds(handler))) {
                takeCollected(ctx.name());
            }
        }
        if (!collected.isEmpty()) {
            collected.forEach((name, bytes) -> record.put(ChannelRecord.COLLECTED + name, bytes));
        }
        if (gate != null || tls != null || deferred.hasKept()) {
            saveReceived(record, deferred, unsent.length);
        }
        // A farewell in the middle of a message, or behind the end of the stream, would be wrong.
        boolean mayBeTold = !record.has(ChannelRecord.UNSENT) && !record.has(ChannelRecord.OUTPUT_SHUT);
        ChannelRecord takenApart =
                record.farewell(mayBeTold ? farewell : Deposit.NO_BYTES).build();
        movedWrites = unsentWrites;
        return takenApart;
    }

    /** Saves what was read, and not processed. */
    private void saveReceived(ChannelRecord.Builder record, DeferredEvents deferred, int unsent) {
        ByteBuf held = Unpooled.buffer(0);
        if (gate != null) {
            held.writeBytes(gate.held());
        }
        if (tls == null) {
            deferred.copyKept(held);
        } else {
            ByteBuf undecrypted = Unpooled.buffer(0);
            deferred.copyKept(held, undecrypted);
            tls.save(record, undecrypted, unsent);
        }
        record.put(ChannelRecord.GATE, ByteBufUtil.getBytes(held));
    }

    /** Gives decoders back what was taken out of them, if the connection was taken apart, or partly. */
    void putBack() {
        movedWrites = 0;
        Map<String, byte[]> taken = collected;
        collected = Map.of();
        taken.forEach((name, bytes) -> feed(channel.pipeline().context(name), bytes));
    }

    /** Fails the writes that were taken out of the connection: the next process has them. */
    void failMovedWrites() {
        ChannelOutboundBuffer outbound = channel.unsafe().outboundBuffer();
        if (outbound != null && movedWrites > 0) {
            ConnectionMovedException moved = new ConnectionMovedException();
            for (int i = 0; i < movedWrites; i++) {
                outbound.remove(moved);
            }
        }
        movedWrites = 0;
    }

    /** Feeds each decoder the bytes that the decoder of the same name had collected. */
    static void feedDecoders(ChannelPipeline pipeline, ChannelRecord record) {
        Map<String, byte[]> saved = record.withPrefix(ChannelRecord.COLLECTED);
        if (!saved.isEmpty()) {
            saved.forEach((name, bytes) -> feed(pipeline.context(name), bytes));
        }
    }

    private static void feed(ChannelHandlerContext decoder, byte[] bytes) {
        try {
            ((ChannelInboundHandler) decoder.handler()).channelRead(decoder, Unpooled.copiedBuffer(bytes));
            decoder.fireChannelReadComplete();
        } catch (Throwable e) {
            decoder.fireExceptionCaught(e);
        }
    }

    /** Returns whether the bytes that a handler has collected can be taken out of it. */
    static boolean isDecoder(ChannelHandler handler) {
        return handler instanceof ByteToMessageDecoder || handler instanceof ByteToMessageCodec;
    }

    private void saveProtocol(ChannelRecord.Builder record) {
        record.put(ChannelRecord.PROTOCOL + gate.protocol(), gate.save());
    }

    private void saveHandlers(ChannelRecord.Builder record) {
        attributes.save(channel, record);
        for (ChannelHandlerContext ctx : contexts.seen()) {
            if (ctx.handler() instanceof Movable movable) {
                ByteBuf out = Unpooled.buffer();
                movable.save(ctx, out);
                record.putHandler(movable.section(), ByteBufUtil.getBytes(out), movable.mustBeRestored());
            }
        }
    }

    /** Returns whether nothing but bytes waits to be written: files, for instance, can't be copied. */
    private boolean onlyBytesWait() {
        boolean[] onlyBytes = {true};
        forEachUnsent(msg -> onlyBytes[0] &= msg instanceof ByteBuf);
        return onlyBytes[0];
    }

    private byte[] unsent() {
        if (!hasUnsent()) {
            return Deposit.NO_BYTES;
        }
        ByteBuf copy = Unpooled.buffer(0);
        forEachUnsent(msg -> {
            if (!(msg instanceof ByteBuf bytes)) {
                throw new IllegalStateException("a " + msg.getClass().getSimpleName() + " waits to be written");
            }
            copy.writeBytes(bytes, bytes.readerIndex(), bytes.readableBytes());
        });
        return ByteBufUtil.getBytes(copy);
    }

    private boolean hasUnsent() {
        ChannelOutboundBuffer outbound = channel.unsafe().outboundBuffer();
        return outbound != null && outbound.totalPendingWriteBytes() > 0;
    }

    private void forEachUnsent(Consumer<Object> action) {
        if (!hasUnsent()) {
            return;
        }
        ChannelOutboundBuffer outbound = channel.unsafe().outboundBuffer();
        outbound.addFlush();
        try {
            outbound.forEachFlushedMessage(msg -> {
                action.accept(msg);
                return true;
            });
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException("what waits to be written can't be read", e);
        }
    }

    /**
     * Makes a decoder give up what it has collected, as it does when it is removed from a pipeline; but it stays there,
     * because it could not be put back. What it has given up before it throws something is noted, too.
     */
    private void takeCollected(String name) {
        Catcher catcher = new Catcher();
        channel.pipeline().addAfter(name, null, catcher);
        try {
            ChannelHandlerContext ctx = channel.pipeline().context(name);
            ctx.handler().handlerRemoved(ctx);
        } catch (Exception e) {
            throw new IllegalStateException("handler " + name + " did not give up its bytes: " + e, e);
        } finally {
            channel.pipeline().remove(catcher);
            if (catcher.caught.isReadable()) {
                collected = collected.isEmpty() ? new LinkedHashMap<>() : collected;
                collected.put(name, ByteBufUtil.getBytes(catcher.caught));
            }
        }
    }

    private static final class Catcher extends ChannelInboundHandlerAdapter {
        private final ByteBuf caught = Unpooled.buffer(0);

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            if (msg instanceof ByteBuf bytes) {
                caught.writeBytes(bytes, bytes.readerIndex(), bytes.readableBytes());
            }
            ReferenceCountUtil.release(msg);
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext ctx) {
            // The decoder fires it after its last bytes; the other handlers have read nothing.
        }
    }
}
