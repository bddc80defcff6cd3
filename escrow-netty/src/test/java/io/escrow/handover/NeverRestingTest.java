package io.escrow.handover;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.escrow.EscrowException;
import io.escrow.Status;
import io.escrow.handover.protocol.Movable;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Hands over servers with connections that never come to rest, more than the first wave has room for. */
class NeverRestingTest extends HandoverHarness {

    private static final int BUSY = 100;
    private static final int IDLE = 60;
    private static final Duration LONG = Duration.ofMinutes(2);
    private static final byte[] RECORD = Peer.bytes(100, 1);

    private volatile boolean resting;
    private final Queue<Runnable> streams = new ConcurrentLinkedQueue<>();

    /** Why a connection may be busy for ever. */
    enum Kind {
        MOVABLE("handler " + Busy.class.getName() + " is not at rest") {
            @Override
            ServerHandoverBuilder server(NeverRestingTest test) {
                return test.server(test.bootstrap(
                        ch -> ch.pipeline().addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4), test.new Busy())));
            }

            @Override
            void makeBusy(Peer peer) throws Exception {
                peer.assertEchoes(RECORD);
            }

            @Override
            void assertServed(Peer peer) throws Exception {
                peer.assertEchoes(RECORD);
            }

            @Override
            void finish(NeverRestingTest test) {
                test.resting = true;
            }
        },
        HTTP("protocol http is in the middle of a message or owes an answer") {
            @Override
            ServerHandoverBuilder server(NeverRestingTest test) {
                return test.server(
                        test.bootstrap(ch -> ch.pipeline().addLast(new HttpServerCodec(), test.new Streams())));
            }

            @Override
            void makeBusy(Peer peer) throws Exception {
                peer.sendRaw(request("/stream"));
                peer.assertReceivesRaw(
                        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n".getBytes(US_ASCII));
            }

            @Override
            void assertServed(Peer peer) throws Exception {
                peer.sendRaw(request("/"));
                peer.assertReceivesRaw("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nb".getBytes(US_ASCII));
            }

            @Override
            void finish(NeverRestingTest test) {
                test.streams.forEach(Runnable::run);
            }
        };

        final String reason;

        Kind(String reason) {
            this.reason = reason;
        }

        abstract ServerHandoverBuilder server(NeverRestingTest test);

        abstract void makeBusy(Peer peer) throws Exception;

        abstract void assertServed(Peer peer) throws Exception;

        abstract void finish(NeverRestingTest test);

        static byte[] request(String path) {
            return ("GET " + path + " HTTP/1.1\r\nhost: a\r\n\r\n").getBytes(US_ASCII);
        }
    }

    /** Is busy from its first record on, until the test says otherwise. */
    private final class Busy extends Echo implements Movable {
        private boolean asked;

        @Override
        public String section() {
            return "busy";
        }

        @Override
        public boolean isAtRest(ChannelHandlerContext ctx) {
            return !asked || resting;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf msg) {
            asked = true;
            super.channelRead0(ctx, msg);
        }
    }

    /** Answers requests in turn; one for a stream when the test ends it. */
    private final class Streams extends SimpleChannelInboundHandler<HttpRequest> {
        private boolean streaming;
        private int waiting;

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, HttpRequest request) {
            if (request.uri().equals("/stream")) {
                streaming = true;
                streams.add(() -> ctx.executor().execute(() -> end(ctx)));
                DefaultHttpResponse response = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
                HttpUtil.setTransferEncodingChunked(response, true);
                ctx.write(response);
                ctx.writeAndFlush(new DefaultHttpContent(Unpooled.copiedBuffer("a", US_ASCII)));
            } else if (streaming) {
                waiting++;
            } else {
                answer(ctx);
            }
        }

        private void end(ChannelHandlerContext ctx) {
            streaming = false;
            ctx.writeAndFlush(LastHttpContent.EMPTY_LAST_CONTENT);
            for (; waiting > 0; waiting--) {
                answer(ctx);
            }
        }

        private void answer(ChannelHandlerContext ctx) {
            DefaultFullHttpResponse response = new DefaultFullHttpResponse(
                    HttpVersion.HTTP_1_1, HttpResponseStatus.OK, Unpooled.copiedBuffer("b", US_ASCII));
            response.headers().set(HttpHeaderNames.CONTENT_LENGTH, 1);
            ctx.writeAndFlush(response);
        }
    }

    private List<Peer> busyPeers(Kind kind, ServerHandover server, int count) throws Exception {
        List<Peer> busy = connect(count);
        for (Peer peer : busy) {
            kind.makeBusy(peer);
        }
        awaitConnections(server, count);
        return busy;
    }

    private ServerHandoverBuilder waves(Kind kind) {
        return kind.server(this).waves(Duration.ofMillis(20));
    }

    @ParameterizedTest
    @EnumSource
    void idleConnectionsDoNotWaitForThem(Kind kind) throws Exception {
        ServerHandover server = start(waves(kind));
        final List<Peer> busy = busyPeers(kind, server, BUSY);
        final List<Peer> idle = connect(IDLE);
        awaitConnections(server, BUSY + IDLE);
        CompletableFuture<ServerHandover> starting = startNext(waves(kind));
        CompletableFuture<HandoverReport> handover = server.handOver(LONG);
        await().until(() -> server.connections() == BUSY);
        assertFalse(handover.isDone());
        for (Peer peer : idle) {
            kind.assertServed(peer);
        }
        // When they come to rest after all, they are moved, too.
        kind.finish(this);
        HandoverReport report = handover.join();
        assertEquals(BUSY + IDLE, report.connections());
        assertEquals(List.of(), report.staying());
        assertEquals(BUSY + IDLE, add(starting.join()).startReport().adopted());
        if (kind == Kind.HTTP) {
            for (Peer peer : busy) {
                peer.assertReceivesRaw("0\r\n\r\n".getBytes(US_ASCII));
            }
        }
        for (Peer peer : busy) {
            kind.assertServed(peer);
        }
    }

    @ParameterizedTest
    @EnumSource
    void theyStayWhenTheTimeIsUpAndAreServed(Kind kind) throws Exception {
        ServerHandover server = start(waves(kind).drain(LONG));
        final List<Peer> busy = busyPeers(kind, server, BUSY);
        connect(IDLE);
        awaitConnections(server, BUSY + IDLE);
        CompletableFuture<ServerHandover> starting = startNext(waves(kind));
        HandoverReport report = handOver(server, whenItOnlyWaits());
        assertEquals(IDLE, report.connections());
        assertEquals(BUSY, report.staying().size());
        report.staying()
                .forEach(staying -> assertEquals("it did not come to rest in time: " + kind.reason, staying.reason()));
        assertEquals(IDLE, add(starting.join()).startReport().adopted());
        assertEquals(BUSY, server.connections());
        kind.finish(this);
        for (Peer peer : busy) {
            if (kind == Kind.HTTP) {
                peer.assertReceivesRaw("0\r\n\r\n".getBytes(US_ASCII));
            }
            if (kind == Kind.HTTP) {
                // A connection that stays ends with its next answer.
                peer.sendRaw(Kind.request("/"));
                peer.assertReceivesRaw(
                        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nb".getBytes(US_ASCII));
            } else {
                kind.assertServed(peer);
            }
            peer.close();
        }
        server.drained().join();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theirGatesAreOpenAgainAfterAHandoverThatFailed(boolean inWaves) throws Exception {
        ServerHandover server = start(inWaves ? waves(Kind.HTTP) : Kind.HTTP.server(this));
        Peer busy = busyPeers(Kind.HTTP, server, 1).get(0);
        Peer idle = connect();
        awaitConnections(server, 2);
        EscrowException failure;
        AtomicLong clock = new AtomicLong();
        if (inWaves) {
            try (FakeSuccessor silent = new FakeSuccessor(escrow(), group.next())) {
                CompletableFuture<HandoverReport> handover = server.handOver(new Deadline(TIME, clock::get));
                silent.meet();
                clock.set(TIME.minusSeconds(1).toNanos());
                silent.awaitWave();
                busy.sendRaw(Kind.request("/"));
                failure = assertThrows(EscrowException.class, () -> rethrow(handover));
            }
            awaitSession(server);
        } else {
            CompletableFuture<HandoverReport> handover = server.handOver(new Deadline(TIME, clock::get));
            await().until(() -> !server.listeners().get(0).isRegistered());
            // It may begin before the gate is shut, but is not answered before the response that never ends.
            busy.sendRaw(Kind.request("/"));
            clock.set(TIME.plusSeconds(1).toNanos());
            failure = assertThrows(EscrowException.class, () -> rethrow(handover));
        }
        assertEquals(Status.ETIMEDOUT, failure.status());
        assertEquals(2, server.connections());
        Kind.HTTP.assertServed(idle);
        Kind.HTTP.finish(this);
        busy.assertReceivesRaw("0\r\n\r\n".getBytes(US_ASCII));
        busy.assertReceivesRaw("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nb".getBytes(US_ASCII));
        Kind.HTTP.assertServed(busy);
    }

    private static void rethrow(CompletableFuture<?> failed) throws Throwable {
        try {
            failed.join();
        } catch (java.util.concurrent.CompletionException e) {
            throw e.getCause();
        }
    }
}
