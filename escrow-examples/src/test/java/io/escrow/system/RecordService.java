package io.escrow.system;

import io.escrow.handover.protocol.PendingWork;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufInputStream;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.socket.ChannelInputShutdownReadComplete;
import io.netty.handler.stream.ChunkedStream;
import io.netty.handler.stream.ChunkedWriteHandler;
import io.netty.util.concurrent.DefaultEventExecutorGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutorGroup;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** A way in which a server of records can be made: the protocol that it speaks, and what its handlers do. */
enum RecordService {
    TCP(RecordTransport.TCP, Answering.AT_ONCE),
    TCP_ON_DEMAND(RecordTransport.TCP, Answering.ON_DEMAND),
    TCP_LATER(RecordTransport.TCP, Answering.BY_SCHEDULER),
    TCP_ELSEWHERE(RecordTransport.TCP, Answering.ON_EXECUTOR),
    TCP_THROUGH_EXECUTORS(RecordTransport.TCP, Answering.THROUGH_EXECUTORS),
    TCP_CHUNKS(RecordTransport.TCP, Answering.IN_CHUNKS),
    TCP_CHUNKS_ELSEWHERE(RecordTransport.TCP, Answering.IN_CHUNKS_ON_EXECUTOR),
    HTTP_LATER(RecordTransport.HTTP, Answering.BY_SCHEDULER),
    HTTP_ELSEWHERE(RecordTransport.HTTP, Answering.ON_EXECUTOR),
    HTTP_CHUNKS(RecordTransport.HTTP_CHUNKED, Answering.AT_ONCE),
    WEBSOCKET_LATER(RecordTransport.WEBSOCKET, Answering.BY_SCHEDULER),
    WEBSOCKET_ELSEWHERE(RecordTransport.WEBSOCKET, Answering.ON_EXECUTOR),
    MQTT_LATER(RecordTransport.MQTT, Answering.BY_SCHEDULER),
    MQTT_ELSEWHERE(RecordTransport.MQTT, Answering.ON_EXECUTOR);

    private enum Answering {
        AT_ONCE,
        ON_DEMAND,
        BY_SCHEDULER,
        ON_EXECUTOR,
        THROUGH_EXECUTORS,
        IN_CHUNKS,
        IN_CHUNKS_ON_EXECUTOR
    }

    private static final int CHUNK = 1000;
    private static final int LATER_MILLIS = 20;
    private static final long WORK_NANOS = 100_000;

    /** One thread, so that the answers of a connection keep their order. */
    private static final ScheduledExecutorService SCHEDULER =
            Executors.newSingleThreadScheduledExecutor(new DefaultThreadFactory("scheduler", true));

    private static final EventExecutorGroup EXECUTORS =
            new DefaultEventExecutorGroup(3, new DefaultThreadFactory("executor", true));

    private static final EventExecutorGroup MORE_EXECUTORS =
            new DefaultEventExecutorGroup(2, new DefaultThreadFactory("more", true));

    private final RecordTransport transport;
    private final Answering answering;

    RecordService(RecordTransport transport, Answering answering) {
        this.transport = transport;
        this.answering = answering;
    }

    RecordTransport transport() {
        return transport;
    }

    /** Returns whether the connections read by themselves. */
    boolean isAutoRead() {
        return answering != Answering.ON_DEMAND;
    }

    /** Adds the handlers of this service to the pipeline of a server's connection. */
    @SuppressWarnings("deprecation") // executors of handlers are deprecated, and in use
    void addTo(ChannelPipeline pipeline) {
        transport.addToServer(pipeline);
        switch (answering) {
            case AT_ONCE -> pipeline.addLast(new Echo());
            case ON_DEMAND -> pipeline.addLast(new DemandingEcho());
            case BY_SCHEDULER -> pipeline.addLast(new LateEcho());
            case ON_EXECUTOR -> pipeline.addLast(EXECUTORS, new SlowEcho());
            case THROUGH_EXECUTORS ->
                pipeline.addLast(EXECUTORS, new ChannelInboundHandlerAdapter())
                        .addLast(MORE_EXECUTORS, new HandingOn())
                        .addLast(EXECUTORS, new SlowEcho());
            case IN_CHUNKS -> pipeline.addLast(new ChunkedWriteHandler(), new ChunkedEcho());
            case IN_CHUNKS_ON_EXECUTOR -> pipeline.addLast(EXECUTORS, new ChunkedWriteHandler(), new ChunkedEcho());
        }
    }

    private static class Echo extends SimpleChannelInboundHandler<ByteBuf> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf record) {
            answer(ctx, record.retain());
        }

        /** Sends the answer, and releases it. */
        void answer(ChannelHandlerContext ctx, ByteBuf record) {
            ctx.writeAndFlush(record);
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event == ChannelInputShutdownReadComplete.INSTANCE) {
                ctx.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            System.err.println(ctx.channel() + ": " + cause);
            ctx.close();
        }
    }

    /** Asks for one read after the other. */
    private static final class DemandingEcho extends Echo {
        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            ctx.read();
        }

        @Override
        void answer(ChannelHandlerContext ctx, ByteBuf record) {
            ctx.writeAndFlush(record).addListener(f -> ctx.read());
        }
    }

    private static final class LateEcho extends Echo {
        @Override
        void answer(ChannelHandlerContext ctx, ByteBuf record) {
            PendingWork work = PendingWork.begin(ctx.channel());
            SCHEDULER.schedule(
                    () -> {
                        ctx.writeAndFlush(record);
                        work.close();
                    },
                    LATER_MILLIS,
                    TimeUnit.MILLISECONDS);
        }
    }

    private static final class SlowEcho extends Echo {
        @Override
        void answer(ChannelHandlerContext ctx, ByteBuf record) {
            LockSupport.parkNanos(WORK_NANOS);
            ctx.writeAndFlush(record);
        }
    }

    private static final class HandingOn extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object record) {
            ctx.executor().execute(() -> ctx.fireChannelRead(record));
        }
    }

    private static final class ChunkedEcho extends Echo {
        @Override
        void answer(ChannelHandlerContext ctx, ByteBuf record) {
            ctx.writeAndFlush(new ChunkedStream(new ByteBufInputStream(record, true), CHUNK));
        }
    }
}
