package io.escrow.handover.tls.source;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.handover.tls.record.MovedEngine;
import io.escrow.handover.tls.record.TlsState;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.ssl.SslHandler;
import java.io.ByteArrayOutputStream;
import java.util.Random;

/** A client and a server of TLS, each in an {@link EmbeddedChannel}, whose bytes go over in pieces. The server can be replaced by one that has moved. */
final class TlsPair {

    private static final int MAX_PIECE = 40_000;

    final EmbeddedChannel client;
    final Sink clientSink = new Sink(false);
    final Random random;
    EmbeddedChannel server;
    Sink serverSink;
    TlsTracker tracker;

    TlsPair(SslHandler clientTls, TlsSource source, ChannelHandler serverTls, long seed) {
        random = new Random(seed);
        serverSink = new Sink(random.nextBoolean());
        server = new EmbeddedChannel(serverTls, serverSink);
        PlaintextMeter meter = new PlaintextMeter();
        server.pipeline().addAfter(server.pipeline().context(serverTls).name(), null, meter);
        tracker = source.follow(server.pipeline().context(serverTls), meter);
        client = new EmbeddedChannel(clientTls, clientSink);
        pump();
    }

    /** Keeps what was decrypted. */
    static final class Sink extends ChannelInboundHandlerAdapter {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        private final boolean flushesAtOnce;
        boolean echoes;
        Throwable failure;

        Sink(boolean flushesAtOnce) {
            this.flushesAtOnce = flushesAtOnce;
        }

        byte[] take() {
            byte[] all = bytes.toByteArray();
            bytes.reset();
            return all;
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ByteBuf buf = (ByteBuf) msg;
            bytes.writeBytes(ByteBufUtil.getBytes(buf));
            if (!echoes) {
                buf.release();
            } else if (flushesAtOnce) {
                ctx.writeAndFlush(buf);
            } else {
                ctx.write(buf);
            }
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext ctx) {
            ctx.flush();
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            failure = cause;
        }
    }

    /** Lets bytes go to and fro until there are no more. */
    void pump() {
        do {
            move(client, server);
            move(server, client);
        } while (!client.outboundMessages().isEmpty()
                || !server.outboundMessages().isEmpty());
        assertNull(clientSink.failure);
        assertNull(serverSink.failure);
    }

    void move(EmbeddedChannel from, EmbeddedChannel to) {
        byte[] bytes = written(from);
        for (int at = 0; at < bytes.length; ) {
            int length = Math.min(bytes.length - at, 1 + random.nextInt(random.nextBoolean() ? 50 : MAX_PIECE));
            receive(to, bytes, at, length);
            at += length;
        }
    }

    static void receive(EmbeddedChannel to, byte[] bytes, int at, int length) {
        to.writeInbound(to.alloc().directBuffer(length).writeBytes(bytes, at, length));
    }

    static byte[] written(EmbeddedChannel from) {
        ByteBuf all = Unpooled.buffer();
        if (from.isOpen()) {
            from.flushOutbound();
        }
        for (ByteBuf next = from.readOutbound(); next != null; next = from.readOutbound()) {
            all.writeBytes(next);
            next.release();
        }
        return ByteBufUtil.getBytes(all);
    }

    SslHandler serverTls() {
        return server.pipeline().get(SslHandler.class);
    }

    SslHandler clientTls() {
        return client.pipeline().get(SslHandler.class);
    }

    byte[] randomBytes(int max) {
        byte[] bytes = new byte[1 + random.nextInt(max)];
        random.nextBytes(bytes);
        return bytes;
    }

    /** Sends bytes both ways, and asserts that they arrive. */
    void exchange(int max) {
        byte[] up = randomBytes(max);
        byte[] down = randomBytes(max);
        client.writeAndFlush(Unpooled.wrappedBuffer(up));
        if (random.nextBoolean()) {
            pump();
        }
        server.writeAndFlush(Unpooled.wrappedBuffer(down));
        pump();
        assertArrayEquals(up, serverSink.take());
        assertArrayEquals(down, clientSink.take());
    }

    /** Takes the state. */
    TlsState take() {
        assertTrue(serverTls().handshakeFuture().isSuccess());
        assertTrue(tracker.isOf(serverTls()));
        assertNull(tracker.whyImmovable(serverTls()));
        assertNull(tracker.whyBusy(serverTls()));
        return tracker.take(serverTls());
    }

    /** Goes on in another server. What the first writes from now on, is lost. */
    void moveServer() {
        TlsState taken = take();
        byte[] received = tracker.received(serverTls());
        TlsState state = TlsState.decode(taken.encode());
        tracker.destroy();
        finish(server);
        serverSink = new Sink(random.nextBoolean());
        server = new EmbeddedChannel(new SslHandler(new MovedEngine(state)), serverSink);
        server.flush();
        if (received.length > 0) {
            receive(server, received, 0, received.length);
        }
        tracker = null;
    }

    void close() {
        finish(client);
        finish(server);
    }

    static void finish(EmbeddedChannel channel) {
        channel.finishAndReleaseAll();
    }
}
