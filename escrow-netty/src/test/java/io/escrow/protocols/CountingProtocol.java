package io.escrow.protocols;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.escrow.handover.protocol.Protocol;
import io.escrow.handover.protocol.ProtocolConnection;
import io.escrow.handover.protocol.ProtocolContext;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelPipeline;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;

/** Moves connections between a {@link CountingDecoder} and a {@link CountingHandler}, with the number of messages. */
class CountingProtocol implements Protocol {

    /** What the peers of unclaimed connections are told. */
    static final byte[] FAREWELL = "\0\3bye".getBytes(US_ASCII);

    private static final int MOST_KEPT = 1_000;

    private final String name;
    private final Class<? extends ChannelHandler> decoder;
    private final List<Framing> connections = new CopyOnWriteArrayList<>();
    private Function<ByteBuf, CompletableFuture<Void>> beforeRestore = in -> CompletableFuture.completedFuture(null);
    private Runnable onRecognise = () -> {};
    volatile boolean checkpoints;

    CountingProtocol(String name, Class<? extends ChannelHandler> decoder) {
        this.name = name;
        this.decoder = decoder;
    }

    CountingProtocol() {
        this("counting", CountingDecoder.class);
    }

    /** Sets what the restoration of each connection waits for. */
    CountingProtocol beforeRestore(Function<ByteBuf, CompletableFuture<Void>> step) {
        beforeRestore = step;
        return this;
    }

    /** Sets what is called before each connection is recognised. */
    CountingProtocol onRecognise(Runnable listener) {
        onRecognise = listener;
        return this;
    }

    /** Returns the connections that were recognised, in their order. */
    List<Framing> connections() {
        return connections;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public ProtocolConnection recognise(ProtocolContext context) {
        onRecognise.run();
        if (context.pipeline().get(decoder) == null) {
            return null;
        }
        Framing framing = new Framing(context);
        connections.add(framing);
        return framing;
    }

    /** Frames the input of one connection. */
    final class Framing implements ProtocolConnection {

        private final ChannelHandler first;
        private final CountingHandler handler;
        private final ProtocolContext context;
        private int rest;
        private volatile boolean nonsense;
        volatile String immovable;

        /** Is called when the connection is asked whether it is at rest. */
        volatile Runnable onAsked = () -> {};

        /** How many bytes were there and not let through when last asked. */
        volatile int seen;

        Framing(ProtocolContext context) {
            ChannelPipeline pipeline = context.pipeline();
            this.context = context;
            this.first = pipeline.get(decoder);
            this.handler = pipeline.get(CountingHandler.class);
            handler.onMessage(() -> {
                if (checkpoints) {
                    context.checkpoint();
                }
            });
        }

        CountingHandler handler() {
            return handler;
        }

        ProtocolContext context() {
            return context;
        }

        @Override
        public ChannelHandler firstHandler() {
            return first;
        }

        @Override
        public int next(ByteBuf in, boolean mayBegin) {
            int length = length(in, mayBegin);
            seen = in.readableBytes() - length;
            return length;
        }

        private int length(ByteBuf in, boolean mayBegin) {
            int there = in.readableBytes();
            if (nonsense) {
                return there;
            }
            if (rest > 0) {
                int part = Math.min(rest, there);
                rest -= part;
                return part;
            }
            if (!mayBegin || there < CountingDecoder.LENGTH_BYTES) {
                return 0;
            }
            int body = in.getUnsignedShort(in.readerIndex());
            if (body > CountingDecoder.MAX_BODY) {
                nonsense = true;
                return there;
            }
            int whole = CountingDecoder.LENGTH_BYTES + body;
            if (there >= whole) {
                return whole;
            }
            if (whole <= MOST_KEPT) {
                return 0;
            }
            rest = whole - there;
            return there;
        }

        @Override
        public boolean feeds(ChannelHandler decoder) {
            return decoder == first;
        }

        @Override
        public String whyImmovable() {
            return nonsense ? "a body is too long" : immovable;
        }

        @Override
        public boolean isAtRest() {
            onAsked.run();
            return rest == 0 && handler.unanswered() == 0;
        }

        @Override
        public void save(ByteBuf out) {
            if (handler.count() > 0) {
                out.writeInt(handler.count());
            }
        }

        @Override
        public CompletableFuture<Void> restore(ByteBuf in) {
            CompletableFuture<Void> restored = beforeRestore.apply(in);
            int count = in.readInt();
            return restored.thenRun(() -> handler.count(count));
        }

        @Override
        public byte[] farewell() {
            return FAREWELL.clone();
        }
    }
}
