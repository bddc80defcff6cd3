package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.handover.protocol.PendingWork;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.util.concurrent.DefaultEventExecutorGroup;
import io.netty.util.concurrent.EventExecutorGroup;
import io.netty.util.concurrent.UnorderedThreadPoolEventExecutor;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Hands over servers with requests that are read, and not answered before the test lets them be. */
@SuppressWarnings("deprecation") // servers add handlers with executors, deprecated or not
class AsynchronousHandlersTest extends HandoverHarness {

    private static final byte[] FIRST = Peer.bytes(1_000, 1);
    private static final byte[] SECOND = Peer.bytes(2_000, 2);

    /** So many that no two connections of a test share one, not even in the next server. */
    private static final EventExecutorGroup executors = new DefaultEventExecutorGroup(16);

    private static final EventExecutorGroup others = new DefaultEventExecutorGroup(16);
    private static final ExecutorService threads = Executors.newSingleThreadExecutor();
    private final CompletableFuture<Void> mayAnswer = new CompletableFuture<>();
    private final AtomicInteger read = new AtomicInteger();

    /** Where a request is while it waits for its answer. */
    enum Kind {
        SCHEDULER("2 pieces of work are pending") {
            @Override
            void add(AsynchronousHandlersTest test, ChannelPipeline pipeline) {
                pipeline.addLast(test.new Later(pipeline.channel().eventLoop()));
            }
        },
        OTHER_THREAD("2 pieces of work are pending") {
            @Override
            void add(AsynchronousHandlersTest test, ChannelPipeline pipeline) {
                pipeline.addLast(test.new Later(threads));
            }
        },
        OTHER_THREAD_OF_A_HANDLER_ON_AN_EXECUTOR("2 pieces of work are pending") {
            @Override
            void add(AsynchronousHandlersTest test, ChannelPipeline pipeline) {
                pipeline.addLast(executors, test.new Later(threads));
            }
        },
        EXECUTOR("the executor of handler " + Blocking.class.getName()) {
            @Override
            void add(AsynchronousHandlersTest test, ChannelPipeline pipeline) {
                pipeline.addLast(executors, test.new Blocking());
            }
        },
        EXECUTOR_BEHIND_ANOTHER("the executor of handler ") {
            @Override
            void add(AsynchronousHandlersTest test, ChannelPipeline pipeline) {
                pipeline.addLast(others, new ChannelInboundHandlerAdapter());
                pipeline.addLast(executors, new ChannelOutboundHandlerAdapter());
                pipeline.addLast(new ChannelInboundHandlerAdapter());
                pipeline.addLast(others, new Passing());
                pipeline.addLast(executors, test.new Blocking());
            }
        },
        QUEUE_OF_WRITES("handler " + Keeping.class.getName() + " keeps back 2 writes") {
            @Override
            void add(AsynchronousHandlersTest test, ChannelPipeline pipeline) {
                pipeline.addLast(test.new Keeping(), test.new CountingEcho());
            }
        },
        QUEUE_OF_WRITES_ON_AN_EXECUTOR("handler " + Keeping.class.getName() + " keeps back 2 writes") {
            @Override
            void add(AsynchronousHandlersTest test, ChannelPipeline pipeline) {
                pipeline.addLast(executors, test.new Keeping());
                pipeline.addLast(test.new CountingEcho());
            }
        },
        QUEUE_OF_VOID_WRITES("handler " + Keeping.class.getName() + " keeps back 2 writes") {
            @Override
            void add(AsynchronousHandlersTest test, ChannelPipeline pipeline) {
                pipeline.addLast(test.new Keeping(), test.new VoidEcho());
            }
        };

        final String busy;

        Kind(String busy) {
            this.busy = busy;
        }

        abstract void add(AsynchronousHandlersTest test, ChannelPipeline pipeline);
    }

    private class CountingEcho extends Echo {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf msg) {
            super.channelRead0(ctx, msg);
            read.incrementAndGet();
        }
    }

    private final class VoidEcho extends Echo {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf msg) {
            ctx.writeAndFlush(Unpooled.copiedBuffer(msg), ctx.voidPromise());
            read.incrementAndGet();
        }
    }

    /** Answers on an executor of which the pipeline knows nothing. */
    private final class Later extends Echo {
        private final Executor executor;
        private CompletableFuture<Void> last = mayAnswer;

        Later(Executor executor) {
            this.executor = executor;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf msg) {
            PendingWork work = PendingWork.begin(ctx.channel());
            ByteBuf answer = Unpooled.copiedBuffer(msg);
            last = last.thenRunAsync(
                    () -> {
                        ctx.writeAndFlush(answer);
                        work.close();
                        work.close();
                    },
                    executor);
            read.incrementAndGet();
        }
    }

    /** Blocks the executor that it runs on. */
    private final class Blocking extends Echo {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf msg) {
            read.addAndGet(2);
            mayAnswer.join();
            super.channelRead0(ctx, msg);
        }
    }

    private static final class Passing extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ctx.executor().execute(() -> ctx.fireChannelRead(msg));
        }
    }

    /** Keeps what is written. */
    private final class Keeping extends ChannelOutboundHandlerAdapter {
        private record Write(Object msg, ChannelPromise promise) {}

        private final Queue<Write> queue = new ArrayDeque<>();

        @Override
        public void handlerAdded(ChannelHandlerContext ctx) {
            mayAnswer.thenRunAsync(() -> release(ctx), ctx.executor());
        }

        @Override
        public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
            if (mayAnswer.isDone() && queue.isEmpty()) {
                ctx.write(msg, promise);
            } else {
                queue.add(new Write(msg, promise));
            }
        }

        private void release(ChannelHandlerContext ctx) {
            for (Write write = queue.poll(); write != null; write = queue.poll()) {
                ctx.write(write.msg(), write.promise());
            }
            ctx.flush();
        }
    }

    @AfterEach
    final void letAllBeAnswered() {
        mayAnswer.complete(null);
    }

    @AfterAll
    static void endThreads() {
        executors.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        others.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        threads.shutdown();
    }

    private ServerHandoverBuilder server(Kind kind, boolean inWaves) {
        ServerHandoverBuilder description = server(bootstrap(ch -> {
            ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4));
            kind.add(this, ch.pipeline());
        }));
        return inWaves ? description.waves(Duration.ofMillis(20)) : description;
    }

    /** Connects and has two requests read, and not answered. */
    private Peer ask(ServerHandover server) throws Exception {
        Peer peer = connect();
        peer.send(FIRST);
        peer.send(SECOND);
        await().until(() -> read.get() == 2);
        awaitConnections(server, 1);
        return peer;
    }

    private static void assertAnswered(Peer peer) throws Exception {
        peer.assertReceives(FIRST);
        peer.assertReceives(SECOND);
        peer.assertEchoes(FIRST);
    }

    private static void awaitBegun(ServerHandover server) {
        await().until(() -> !server.listeners().get(0).isRegistered());
    }

    @ParameterizedTest
    @EnumSource
    void answersComeBeforeTheConnectionMoves(Kind kind) throws Exception {
        ServerHandover server = start(server(kind, false));
        Peer peer = ask(server);
        CompletableFuture<HandoverReport> handover = server.handOver(TIME);
        awaitBegun(server);
        assertFalse(handover.isDone());
        mayAnswer.complete(null);
        HandoverReport report = handover.join();
        assertEquals(List.of(), report.staying());
        assertEquals(1, report.connections());
        assertEquals(1, start(server(kind, false)).startReport().adopted());
        assertAnswered(peer);
    }

    @ParameterizedTest
    @EnumSource
    void answersComeBeforeTheConnectionMovesInAWave(Kind kind) throws Exception {
        ServerHandover server = start(server(kind, true));
        Peer peer = ask(server);
        // One that is idle does not wait for it, unless they share an executor.
        List<Peer> idle = connect(1);
        awaitConnections(server, 2);
        CompletableFuture<ServerHandover> starting = startNext(server(kind, true));
        CompletableFuture<HandoverReport> handover = server.handOver(TIME);
        await().until(() -> server.connections() == 1);
        assertFalse(handover.isDone());
        mayAnswer.complete(null);
        HandoverReport report = handover.join();
        assertEquals(List.of(), report.staying());
        assertEquals(2, report.connections());
        assertEquals(2, add(starting.join()).startReport().adopted());
        assertAnswered(peer);
        idle.get(0).assertEchoes(SECOND);
    }

    @ParameterizedTest
    @EnumSource
    void serverGoesOnWhenItTakesTooLong(Kind kind) throws Exception {
        ServerHandover server = start(server(kind, false));
        Peer peer = ask(server);
        EscrowException failure = assertThrows(EscrowException.class, () -> handOver(server, whenItOnlyWaits()));
        assertEquals(Status.ETIMEDOUT, failure.status());
        assertTrue(failure.getMessage().contains(kind.busy), failure.getMessage());
        // What comes in is read again.
        peer.send(FIRST);
        mayAnswer.complete(null);
        assertAnswered(peer);
        peer.assertReceives(FIRST);
        handOver(server);
        start(server(kind, false));
        peer.assertEchoes(SECOND);
    }

    @ParameterizedTest
    @EnumSource(names = {"OTHER_THREAD", "EXECUTOR", "QUEUE_OF_WRITES"})
    void connectionStaysInWavesWhenItTakesTooLong(Kind kind) throws Exception {
        ServerHandover server = start(server(kind, true));
        Peer peer = ask(server);
        CompletableFuture<ServerHandover> starting = startNext(server(kind, true));
        HandoverReport report = handOver(server, whenItOnlyWaits());
        assertEquals(0, report.connections());
        String reason = report.staying().get(0).reason();
        assertTrue(reason.startsWith("it did not come to rest in time: " + kind.busy), reason);
        assertEquals(0, add(starting.join()).startReport().adopted());
        peer.send(FIRST);
        mayAnswer.complete(null);
        assertAnswered(peer);
        peer.assertReceives(FIRST);
        peer.close();
        server.drained().join();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void nothingIsReadWhileWorkIsPendingButNotForLong(boolean inWaves) throws Exception {
        ServerHandover server = start(server(Kind.OTHER_THREAD, inWaves));
        Peer peer = ask(server);
        CompletableFuture<ServerHandover> starting = inWaves ? startNext(server(Kind.OTHER_THREAD, true)) : null;
        CompletableFuture<HandoverReport> handover = server.handOver(TIME);
        await().until(() -> !onlyConnection(server).channel().config().isAutoRead());
        assertEquals(2, read.get());
        // It may be what the work waits for.
        peer.send(FIRST);
        await().until(() -> read.get() == 3);
        mayAnswer.complete(null);
        assertEquals(1, handover.join().connections());
        if (inWaves) {
            add(starting.join());
        } else {
            start(server(Kind.OTHER_THREAD, false));
        }
        assertAnswered(peer);
        peer.assertReceives(FIRST);
    }

    @ParameterizedTest
    @CsvSource({"false, false", "false, true", "true, false"})
    void executorWithoutOrderHasAReason(boolean inWaves, boolean vouchedFor) throws Exception {
        UnorderedThreadPoolEventExecutor unordered = new UnorderedThreadPoolEventExecutor(2);
        try {
            ServerHandoverBuilder description = server(bootstrap(ch -> {
                ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4));
                ch.pipeline().addLast(unordered, new Echo());
            }));
            if (inWaves) {
                description.waves(Duration.ofMillis(20));
            }
            if (vouchedFor) {
                description.vouchFor(Echo.class);
            }
            ServerHandover server = start(description);
            Peer peer = connect();
            peer.assertEchoes(FIRST);
            CompletableFuture<ServerHandover> starting = startNext(echoServer());
            HandoverReport report = handOver(server);
            add(starting.join());
            if (vouchedFor) {
                assertEquals(1, report.connections());
                peer.assertEchoes(FIRST);
                return;
            }
            assertEquals(
                    "handler " + Echo.class.getName()
                            + " runs on an executor without order, UnorderedThreadPoolEventExecutor:"
                            + " count its work by PendingWork in a handler before it, and vouch for its class",
                    report.staying().get(0).reason());
            peer.assertEchoes(SECOND);
            peer.close();
            server.drained().join();
        } finally {
            unordered.shutdown();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void executorThatWasShutDownIsNotWaitedFor(boolean inWaves) throws Exception {
        DefaultEventExecutorGroup ending = new DefaultEventExecutorGroup(1);
        ServerHandoverBuilder description = server(bootstrap(ch -> {
            ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4));
            ch.pipeline().addLast(ending, "echo", new Echo());
        }));
        if (inWaves) {
            description.waves(Duration.ofMillis(20));
        }
        ServerHandover server = start(description);
        Peer peer = connect();
        peer.assertEchoes(FIRST);
        ChannelPipeline pipeline = onlyConnection(server).channel().pipeline();
        ending.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        CompletableFuture<ServerHandover> starting = startNext(echoServer());
        HandoverReport report = handOver(server);
        // Netty can't close a channel whose handler has no executor any more. It is removed all the same.
        assertThrows(RejectedExecutionException.class, () -> pipeline.remove("echo"));
        assertEquals(
                "handler " + Echo.class.getName()
                        + " runs on an executor that was shut down: shut it down after the handover",
                report.staying().get(0).reason());
        add(starting.join());
        peer.close();
        server.drained().join();
    }

    @Test
    void workThatWasBegunBeforeTheConnectionIsActiveCounts() throws Exception {
        CompletableFuture<PendingWork> begun = new CompletableFuture<>();
        ServerHandover server = start(server(bootstrap(ch -> {
            begun.complete(PendingWork.begin(ch));
            ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), new Echo());
        })));
        Peer peer = connect();
        peer.assertEchoes(FIRST);
        EscrowException failure = assertThrows(EscrowException.class, () -> handOver(server, whenItOnlyWaits()));
        assertTrue(failure.getMessage().contains("a piece of work is pending"), failure.getMessage());
        begun.join().close();
        assertEquals(1, handOver(server).connections());
        start();
        peer.assertEchoes(SECOND);
    }

    @Test
    void handlerThatIsAddedToAnActiveConnectionAndMayKeepWritesIsNamed() throws Exception {
        mayAnswer.complete(null);
        ServerHandover server = start(echoServer().drain(TIME));
        Peer peer = connect();
        peer.assertEchoes(FIRST);
        onlyConnection(server).channel().pipeline().addFirst(new Keeping());
        HandoverReport report = handOver(server);
        assertEquals(
                "handler " + Keeping.class.getName()
                        + " was added to an active connection and may keep writes back: add it when the channel is"
                        + " initialised, or vouch for its class",
                report.staying().get(0).reason());
        peer.assertEchoes(SECOND);
        peer.close();
        server.drained().join();
        start();
    }
}
