package io.escrow.handover.connection;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * Looks into handlers of Netty that are in the middle of something now and then, such as a decoder that skips the rest of a
 * frame that is too long. Netty has no method that tells, so this class reads their private fields.
 *
 * <p>May be used by any thread, but a handler is asked on its event loop.
 */
final class HandlerInspector {

    private static final String SKIPPING = "skips the rest of a frame that is too long";
    private static final String COLLECTING = "has a part of a message";
    private static final String CODEC = "io.netty.handler.codec.";

    /**
     * Asks a handler whether it is in the middle of something.
     *
     * @param type the name of the class that has the field: its module need not be there
     * @param field is 0, {@code false}, {@code null}, or a collection or buffer that is empty when the handler is in the middle of nothing; or
     *     it is a handler to ask in turn
     * @param busy what the handler does otherwise
     * @param ofMessages whether the handler works on messages of a decoder, and not on bytes
     */
    record Question(String type, String field, String busy, boolean ofMessages) {}

    /** Inspects the handlers of Netty. */
    static final HandlerInspector OF_NETTY = new HandlerInspector(List.of(
            new Question(CODEC + "LengthFieldBasedFrameDecoder", "discardingTooLongFrame", SKIPPING, false),
            new Question(CODEC + "LineBasedFrameDecoder", "discarding", SKIPPING, false),
            new Question(CODEC + "DelimiterBasedFrameDecoder", "discardingTooLongFrame", SKIPPING, false),
            new Question(CODEC + "DelimiterBasedFrameDecoder", "lineBasedDecoder", SKIPPING, false),
            new Question(CODEC + "protobuf.ProtobufVarint32FrameDecoder", "bytesToDiscard", SKIPPING, false),
            new Question(CODEC + "haproxy.HAProxyMessageDecoder", "discarding", SKIPPING, false),
            new Question(CODEC + "MessageAggregator", "currentMessage", COLLECTING, true),
            new Question(CODEC + "redis.RedisArrayAggregator", "depths", COLLECTING, true)));

    /** Finds decoders that have collected bytes. */
    private static final HandlerInspector COLLECTED = new HandlerInspector(List.of(
            new Question(CODEC + "ByteToMessageDecoder", "cumulation", COLLECTING, false),
            new Question(CODEC + "ByteToMessageCodec", "decoder", COLLECTING, false)));

    /** Finds handlers that keep writes in a queue. */
    private static final HandlerInspector QUEUED = new HandlerInspector(
            List.of(new Question("io.netty.handler.stream.ChunkedWriteHandler", "queue", "keeps writes back", false)));

    /** A question to one class; the field is {@code null} if it can't be read, for the reason given. */
    private record Probe(Question question, Field field, String whyUnknown) {}

    private final List<Question> questions;

    /** Finds the fields once for each class. */
    private final ClassValue<List<Probe>> probes = new ClassValue<>() {
        @Override
        protected List<Probe> computeValue(Class<?> type) {
            List<Probe> found = new ArrayList<>();
            for (Class<?> c = type; c != null; c = c.getSuperclass()) {
                for (Question question : questions) {
                    if (question.type().equals(c.getName())) {
                        found.add(probe(c, question));
                    }
                }
            }
            return found;
        }
    };

    HandlerInspector(List<Question> questions) {
        this.questions = questions;
    }

    private static Probe probe(Class<?> type, Question question) {
        try {
            Field field = type.getDeclaredField(question.field());
            if (field.trySetAccessible()) {
                return new Probe(question, field, null);
            }
            Module own = HandlerInspector.class.getModule();
            return unknown(
                    type,
                    question,
                    "run the server with --add-opens " + type.getModule().getName() + "/" + type.getPackageName() + "="
                            + (own.isNamed() ? own.getName() : "ALL-UNNAMED"));
        } catch (NoSuchFieldException e) {
            return unknown(type, question, "this version of Netty has no field " + question.field());
        }
    }

    private static Probe unknown(Class<?> type, Question question, String reason) {
        return new Probe(
                question,
                null,
                "a " + type.getSimpleName() + ", of which nobody can tell whether it " + question.busy() + ": "
                        + reason);
    }

    /** Returns what is asked. */
    List<Question> questions() {
        return questions;
    }

    /**
     * Returns why a handler of a class can't be asked; {@code null} if it can, or if there is nothing to ask.
     *
     * @param behindGate whether a protocol says when no message is half-way through: then handlers of messages need not be
     *     asked
     */
    String whyUnknown(Class<?> type, boolean behindGate) {
        List<Probe> asked = probes.get(type);
        // Without an iterator, here and below: every handler of every connection is asked.
        for (int i = 0; i < asked.size(); i++) {
            Probe probe = asked.get(i);
            if (probe.field() == null && !(behindGate && probe.question().ofMessages())) {
                return probe.whyUnknown();
            }
        }
        return null;
    }

    /** Returns what a handler is in the middle of; {@code null} if nothing is known. */
    String whyBusy(ChannelHandler handler) {
        List<Probe> asked = probes.get(handler.getClass());
        for (int i = 0; i < asked.size(); i++) {
            Probe probe = asked.get(i);
            Object value = probe.field() == null ? null : read(probe.field(), handler);
            if (value instanceof ChannelHandler inner) {
                String busy = whyBusy(inner);
                if (busy != null) {
                    return busy;
                }
            } else if (isSet(value)) {
                return "a " + handler.getClass().getSimpleName() + " "
                        + probe.question().busy();
            }
        }
        return null;
    }

    /** Returns the handlers of a pipeline that may have a part of a message. */
    static List<ChannelHandler> collecting(ChannelPipeline pipeline) {
        List<ChannelHandler> found = new ArrayList<>();
        for (ChannelHandlerContext ctx : PipelineContexts.of(pipeline)) {
            if (COLLECTED.asks(ctx.handler()) || OF_NETTY.asks(ctx.handler())) {
                found.add(ctx.handler());
            }
        }
        return found;
    }

    private boolean asks(ChannelHandler handler) {
        return !probes.get(handler.getClass()).isEmpty();
    }

    /** Returns whether one of some handlers has a part of a message, as far as Netty's own classes tell. */
    static boolean isHalfRead(List<ChannelHandler> handlers) {
        // Asked behind each read: without an iterator.
        for (int i = 0; i < handlers.size(); i++) {
            ChannelHandler handler = handlers.get(i);
            if (COLLECTED.whyBusy(handler) != null || OF_NETTY.whyBusy(handler) != null) {
                return true;
            }
        }
        return false;
    }

    /** Returns whether {@link #queued} knows how many writes handlers of a class keep back. */
    static boolean hasQueue(Class<?> type) {
        List<Probe> probes = QUEUED.probes.get(type);
        return !probes.isEmpty() && probes.get(0).field() != null;
    }

    /** Returns how many writes a handler keeps back that {@link #hasQueue}. Called where the handler runs. */
    static int queued(ChannelHandler handler) {
        Object queue = read(QUEUED.probes.get(handler.getClass()).get(0).field(), handler);
        return queue instanceof Collection<?> writes ? writes.size() : 0;
    }

    private static Object read(Field field, ChannelHandler handler) {
        try {
            return field.get(handler);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(field + " is accessible no more", e);
        }
    }

    private static boolean isSet(Object value) {
        if (value instanceof Boolean flag) {
            return flag;
        }
        if (value instanceof Number number) {
            return number.longValue() != 0;
        }
        if (value instanceof ByteBuf bytes) {
            return bytes.isReadable();
        }
        if (value instanceof Collection<?> collection) {
            return !collection.isEmpty();
        }
        return value != null;
    }
}
