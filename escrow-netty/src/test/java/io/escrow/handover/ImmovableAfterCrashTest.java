package io.escrow.handover;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.Entry;
import io.escrow.handover.connection.Connection;
import io.escrow.handover.protocol.Movable;
import io.escrow.handover.store.HandoverRecord;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.codec.http.websocketx.extensions.compression.WebSocketServerCompressionHandler;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Finds connections after a crash whose fresh pipeline is not what it was: they are reset, and no handler has a say. */
class ImmovableAfterCrashTest extends HandoverHarness {

    private static final byte[] RECORD = Peer.bytes(1_000, 1);
    private static final byte[] CHANGE = Peer.bytes(7, 2);
    private static final String REASON = "it counts";

    private static final String UPGRADE = """
            GET / HTTP/1.1\r
            Host: x\r
            Connection: Upgrade\r
            Upgrade: websocket\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            Sec-WebSocket-Version: 13\r
            Sec-WebSocket-Extensions: permessage-deflate\r
            \r
            """;

    private final Queue<String> fed = new ConcurrentLinkedQueue<>();

    @BeforeEach
    void beCrashSafe() {
        crashSafe = true;
    }

    /** Says something whenever it may, and notes what it is given. */
    private final class Talkative extends ChannelInboundHandlerAdapter {
        @Override
        public void handlerAdded(ChannelHandlerContext ctx) {
            ctx.writeAndFlush(Unpooled.copiedBuffer("hello", StandardCharsets.US_ASCII));
        }

        @Override
        public void channelActive(ChannelHandlerContext ctx) {
            ctx.writeAndFlush(Unpooled.copiedBuffer("active", StandardCharsets.US_ASCII));
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            fed.add(String.valueOf(((ByteBuf) msg).readableBytes()));
            ((ByteBuf) msg).release();
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            fed.add(event.toString());
        }

        @Override
        public void channelInactive(ChannelHandlerContext ctx) {
            ctx.writeAndFlush(Unpooled.copiedBuffer("goodbye", StandardCharsets.US_ASCII));
        }
    }

    private static final class Immovable extends ChannelInboundHandlerAdapter {}

    /** Becomes immovable, or movable again, with each record of a kind. */
    private static final class Changing extends Echo implements Movable {
        private boolean immovable;

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, ByteBuf msg) {
            if (msg.readableBytes() == Integer.BYTES + CHANGE.length) {
                immovable = !immovable;
            }
            super.channelRead0(ctx, msg);
        }

        @Override
        public String section() {
            return "changing";
        }

        @Override
        public boolean isAtRest(ChannelHandlerContext ctx) {
            return true;
        }

        @Override
        public String whyImmovable(ChannelHandlerContext ctx) {
            return immovable ? REASON : null;
        }

        @Override
        public void save(ChannelHandlerContext ctx, ByteBuf out) {
            out.writeByte(1);
        }

        @Override
        public void restore(ChannelHandlerContext ctx, ByteBuf in) {}
    }

    private ServerHandoverBuilder server(ChannelHandler... handlers) {
        return server(bootstrap(ch -> ch.pipeline()
                .addLast(new LengthFieldBasedFrameDecoder(1 << 20, 0, 4))
                .addLast(handlers)));
    }

    /** Waits until the escrow knows that the only connection of a server can't be moved, or that it can. */
    private static void awaitMark(ServerHandover server, boolean marked) {
        Connection connection = onlyConnection(server);
        await().until(() -> {
            try (Entry entry = server.context()
                    .client()
                    .get(
                            server.context().table().connectionTag(),
                            connection.slot().index())
                    .join()) {
                HandoverRecord record = HandoverRecord.of(entry.payload()).orElseThrow();
                assertEquals(
                        record.required().contains("immovable"),
                        record.sections().containsKey("immovable"));
                return record.sections().containsKey("immovable") == marked;
            }
        });
    }

    private void assertRefused(ServerHandover server, String reason) {
        List<String> refused = server.startReport().refused();
        assertEquals(1, refused.size(), refused::toString);
        assertTrue(refused.get(0).contains(reason), refused.get(0));
        assertEquals(List.of(), server.startReport().left());
        assertEquals(0, server.startReport().foundAfterCrash());
        assertEquals(List.of(), List.copyOf(fed));
        awaitEscrowed(server, 0);
    }

    @Test
    void freshPipelineThatCannotBeMovedIsNotGivenAConnection() throws Exception {
        ServerHandover server = start();
        Peer peer = connect();
        peer.assertEchoes(RECORD);
        crash(server);
        peer.send(RECORD);
        server = start(
                server(bootstrap(ch -> ch.pipeline().addLast(new Talkative()))).immovable(Talkative.class, REASON));
        peer.assertReset();
        assertRefused(server, REASON);
    }

    @Test
    void connectionThatWasImmovableFromTheBeginningIsMarked() throws Exception {
        ServerHandover server = start(server(new Immovable(), new Echo()).immovable(Immovable.class, REASON));
        Peer peer = connect();
        awaitMark(server, true);
        crash(server);
        server = start(server(bootstrap(ch -> ch.pipeline().addLast(new Talkative()))));
        peer.assertReset();
        assertRefused(server, REASON);
    }

    @Test
    void connectionThatBecameImmovableIsMarked() throws Exception {
        ServerHandover server = start(server(new Echo() {
                    @Override
                    protected void channelRead0(ChannelHandlerContext ctx, ByteBuf msg) {
                        if (ctx.pipeline().get(Immovable.class) == null) {
                            ctx.pipeline().addLast(new Immovable());
                        }
                        super.channelRead0(ctx, msg);
                    }
                })
                .immovable(Immovable.class, REASON));
        Peer peer = connect();
        awaitEscrowed(server, 1);
        awaitMark(server, false);
        peer.assertEchoes(RECORD);
        awaitMark(server, true);
        crash(server);
        server = start(server(bootstrap(ch -> ch.pipeline().addLast(new Talkative()))));
        peer.assertReset();
        assertRefused(server, REASON);
    }

    @Test
    void serverIsNotAskedWhetherItGoesOn() throws Exception {
        ServerHandover server = start(server(new Immovable(), new Echo()).immovable(Immovable.class, REASON));
        Peer peer = connect();
        awaitMark(server, true);
        crash(server);
        server = start(server(new Echo()).resumeAfterCrash(channel -> {
            throw new AssertionError("this one is not for the server to choose");
        }));
        peer.assertReset();
        assertRefused(server, REASON);
    }

    @Test
    void connectionThatCanBeMovedAgainGoesOn() throws Exception {
        ServerHandover server = start(server(new Changing()));
        Peer peer = connect();
        peer.assertEchoes(CHANGE);
        awaitMark(server, true);
        peer.assertEchoes(CHANGE);
        awaitMark(server, false);
        checkpointOnly(server);
        peer.assertEchoes(CHANGE);
        awaitMark(server, true);
        peer.assertEchoes(CHANGE);
        awaitMark(server, false);
        crash(server);
        server = start(server(new Changing()));
        assertEquals(1, server.startReport().foundAfterCrash());
        peer.assertEchoes(RECORD);
    }

    @Test
    void connectionThatStaysIsNotPutBackIntoTheEscrow() throws Exception {
        ServerHandover server = start(server(new Changing()));
        Peer peer = connect();
        peer.assertEchoes(CHANGE);
        awaitMark(server, true);
        assertEquals(1, handOver(server).staying().size());
        peer.assertEchoes(CHANGE);
        ServerHandover next = start(server(new Echo()));
        assertEquals(0, next.connections());
        assertEquals(List.of(), next.startReport().refused());
        peer.assertEchoes(RECORD);
        peer.close();
        server.drained().join();
    }

    @Test
    void webSocketWithCompressionIsMarkedBeforeItIsAnswered() throws Exception {
        ServerHandover server = start(server(bootstrap(ch -> ch.pipeline()
                .addLast(
                        new HttpServerCodec(),
                        new HttpObjectAggregator(1 << 16),
                        new WebSocketServerCompressionHandler(0),
                        new WebSocketServerProtocolHandler("/", null, true)))));
        Peer peer = connect();
        peer.sendRaw(UPGRADE.getBytes(StandardCharsets.US_ASCII));
        peer.assertReceivesRaw("HTTP/1.1 101".getBytes(StandardCharsets.US_ASCII));
        crash(server);
        server = start(server(bootstrap(ch -> ch.pipeline()
                .addLast(
                        new HttpServerCodec(),
                        new HttpObjectAggregator(1 << 16),
                        new WebSocketServerProtocolHandler("/", null, true),
                        new ChannelInboundHandlerAdapter() {
                            @Override
                            public void channelRead(ChannelHandlerContext ctx, Object msg) {
                                fed.add(msg instanceof TextWebSocketFrame frame ? frame.text() : msg.toString());
                            }
                        }))));
        peer.assertResetAfterReading();
        assertRefused(server, "WebSocket with compression");
    }
}
