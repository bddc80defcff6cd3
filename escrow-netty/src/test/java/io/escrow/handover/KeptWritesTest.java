package io.escrow.handover;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.EscrowException;
import io.escrow.handover.connection.Connection;
import io.escrow.handover.protocol.PendingWork;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.stream.ChunkedStream;
import io.netty.handler.stream.ChunkedWriteHandler;
import io.netty.handler.traffic.ChannelTrafficShapingHandler;
import io.netty.util.concurrent.DefaultEventExecutorGroup;
import io.netty.util.concurrent.EventExecutorGroup;
import java.io.ByteArrayInputStream;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Hands over servers in the middle of what handlers of Netty write bit by bit. */
@SuppressWarnings("deprecation") // servers add handlers with executors, deprecated or not
class KeptWritesTest extends HandoverHarness {

    private static final byte[] FILE = Peer.bytes(20_000_000, 7);
    private static final byte[] SMALL = Peer.bytes(1_000, 2);
    private static final EventExecutorGroup executors = new DefaultEventExecutorGroup(4);

    private final AtomicInteger begun = new AtomicInteger();

    /** Answers an empty record with a long one, chunk by chunk. */
    private final class Files extends Echo {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf msg) {
            if (msg.readableBytes() > Integer.BYTES) {
                super.channelRead0(ctx, msg);
            } else {
                ctx.write(Unpooled.copyInt(FILE.length));
                ctx.writeAndFlush(new ChunkedStream(new ByteArrayInputStream(FILE)));
                begun.incrementAndGet();
            }
        }
    }

    @AfterAll
    static void endThreads() {
        executors.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }

    private ServerHandoverBuilder server(boolean inWaves, BiConsumer<KeptWritesTest, ChannelPipeline> handlers) {
        ServerHandoverBuilder description = server(bootstrap(ch -> {
            ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4));
            handlers.accept(this, ch.pipeline());
        }));
        return inWaves ? description.waves(Duration.ofMillis(20)) : description;
    }

    private void chunked(ChannelPipeline pipeline) {
        pipeline.addLast(new ChunkedWriteHandler(), new Files());
    }

    private void chunkedElsewhere(ChannelPipeline pipeline) {
        pipeline.addLast(executors, new ChunkedWriteHandler(), new Files());
    }

    /** Half a megabyte a second. */
    private void shaped(ChannelPipeline pipeline) {
        pipeline.addLast(new ChannelTrafficShapingHandler(500_000, 0, 100), new Echo());
    }

    private ServerHandoverBuilder files(boolean inWaves, boolean elsewhere) {
        return server(inWaves, elsewhere ? KeptWritesTest::chunkedElsewhere : KeptWritesTest::chunked);
    }

    @ParameterizedTest
    @CsvSource({"false, false", "true, false", "false, true", "true, true"})
    void transferArrivesWholeAndThenTheNextAnswer(boolean inWaves, boolean elsewhere) throws Exception {
        ServerHandover server = start(files(inWaves, elsewhere));
        Peer peer = connect();
        peer.send(new byte[0]);
        await().until(() -> begun.get() == 1);
        peer.send(SMALL);
        CompletableFuture<ServerHandover> starting = inWaves ? startNext(files(true, elsewhere)) : null;
        CompletableFuture<HandoverReport> handover = server.handOver(TIME);
        await().until(() -> !server.listeners().get(0).isRegistered());
        assertFalse(handover.isDone());
        peer.assertReceives(FILE);
        HandoverReport report = handover.join();
        assertEquals(List.of(), report.staying());
        assertEquals(1, report.connections());
        if (inWaves) {
            add(starting.join());
        } else {
            start(files(false, elsewhere));
        }
        peer.assertReceives(SMALL);
        peer.assertEchoes(SMALL);
    }

    @Test
    void serverGoesOnWithTheTransferWhenItTakesTooLong() throws Exception {
        ServerHandover server = start(files(false, false));
        Peer peer = connect();
        peer.send(new byte[0]);
        await().until(() -> begun.get() == 1);
        peer.send(SMALL);
        EscrowException failure = assertThrows(EscrowException.class, () -> handOver(server, whenItOnlyWaits()));
        assertTrue(
                failure.getMessage().contains("handler " + ChunkedWriteHandler.class.getName() + " keeps back "),
                failure.getMessage());
        peer.assertReceives(FILE);
        peer.assertReceives(SMALL);
        handOver(server);
        start(files(false, false));
        peer.assertEchoes(SMALL);
    }

    /** Answers in two parts, and has a handler for large responses in the pipeline meanwhile. */
    private final class HandlerForOneResponse extends SimpleChannelInboundHandler<FullHttpRequest> {
        private final CompletableFuture<Void> mayEnd;

        HandlerForOneResponse(CompletableFuture<Void> mayEnd) {
            this.mayEnd = mayEnd;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, FullHttpRequest request) {
            ChunkedWriteHandler chunks = new ChunkedWriteHandler();
            ctx.pipeline().addBefore(ctx.name(), "chunks", chunks);
            HttpResponse response = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
            HttpUtil.setTransferEncodingChunked(response, true);
            ctx.writeAndFlush(response);
            begun.incrementAndGet();
            mayEnd.thenRunAsync(
                    () -> ctx.writeAndFlush(LastHttpContent.EMPTY_LAST_CONTENT)
                            .addListener(written -> ctx.pipeline().remove(chunks)),
                    ctx.executor());
        }
    }

    private ServerHandoverBuilder answeringIn(CompletableFuture<Void> mayEnd) {
        return server(bootstrap(ch -> ch.pipeline()
                .addLast(new HttpServerCodec(), new HttpObjectAggregator(1000), new HandlerForOneResponse(mayEnd))));
    }

    @Test
    void handlerThatLeavesAfterOneResponseDoesNotKeepTheConnection() throws Exception {
        CompletableFuture<Void> mayEnd = new CompletableFuture<>();
        ServerHandover server = start(answeringIn(mayEnd));
        Peer peer = connect();
        byte[] request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(US_ASCII);
        byte[] head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".getBytes(US_ASCII);
        byte[] end = "0\r\n\r\n".getBytes(US_ASCII);
        peer.sendRaw(request);
        peer.assertReceivesRaw(head);
        EscrowException failure = assertThrows(EscrowException.class, () -> handOver(server, whenItOnlyWaits()));
        assertTrue(failure.getMessage().contains("is in the middle of a message"), failure.getMessage());
        mayEnd.complete(null);
        peer.assertReceivesRaw(end);
        HandoverReport report = handOver(server);
        assertEquals(List.of(), report.staying());
        assertEquals(1, report.connections());
        start(answeringIn(mayEnd));
        peer.sendRaw(request);
        peer.assertReceivesRaw(head);
        peer.assertReceivesRaw(end);
    }

    @Test
    void transferStaysInWavesWhenItTakesTooLong() throws Exception {
        ServerHandover server = start(files(true, false));
        Peer peer = connect();
        peer.send(new byte[0]);
        await().until(() -> begun.get() == 1);
        CompletableFuture<ServerHandover> starting = startNext(files(true, false));
        HandoverReport report = handOver(server, whenItOnlyWaits());
        add(starting.join());
        assertEquals(
                List.of("it did not come to rest in time: handler " + ChunkedWriteHandler.class.getName()
                        + " keeps back 1 write"),
                report.staying().stream().map(HandoverReport.Staying::reason).toList());
        peer.assertReceives(FILE);
        peer.assertEchoes(SMALL);
        peer.close();
        server.drained().join();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whatIsSentSlowlyIsSentBeforeTheConnectionMoves(boolean inWaves) throws Exception {
        ServerHandover server = start(server(inWaves, KeptWritesTest::shaped));
        Peer peer = connect();
        byte[] record = Peer.bytes(100_000, 3);
        for (int i = 0; i < 3; i++) {
            peer.send(record);
        }
        awaitConnections(server, 1);
        CompletableFuture<ServerHandover> starting = inWaves ? startNext(server(true, KeptWritesTest::shaped)) : null;
        HandoverReport report = handOver(server);
        assertEquals(List.of(), report.staying());
        if (inWaves) {
            add(starting.join());
        } else {
            start(server(false, KeptWritesTest::shaped));
        }
        for (int i = 0; i < 3; i++) {
            peer.assertReceives(record);
        }
        peer.assertEchoes(SMALL);
    }

    /** Of what comes in, 100 kilobytes a second are read: reading stops, and a timer starts it again. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void timerThatStartsReadingAgainDoesNoHarm(boolean comesBack) throws Exception {
        BiConsumer<KeptWritesTest, ChannelPipeline> slowly =
                (test, pipeline) -> pipeline.addFirst(new ChannelTrafficShapingHandler(0, 200_000, 100))
                        .addLast(new Echo());
        ServerHandover server = start(server(false, slowly));
        Peer peer = connect();
        byte[] record = Peer.bytes(30_000, 3);
        for (int i = 0; i < 3; i++) {
            peer.send(record);
        }
        await().until(() -> !onlyConnection(server).channel().config().isAutoRead());
        if (comesBack) {
            // Another one that does not come to rest: this one does, and comes back.
            Connection slow = onlyConnection(server);
            connect();
            awaitConnections(server, 2);
            server.context().connections().all().stream()
                    .filter(connection -> connection != slow)
                    .forEach(connection -> PendingWork.begin(connection.channel()));
            assertThrows(EscrowException.class, () -> handOver(server, Duration.ofMillis(500)));
        } else {
            handOver(server);
            start(server(false, slowly));
        }
        for (int i = 0; i < 3; i++) {
            peer.assertReceives(record);
        }
        peer.assertEchoes(SMALL);
    }
}
