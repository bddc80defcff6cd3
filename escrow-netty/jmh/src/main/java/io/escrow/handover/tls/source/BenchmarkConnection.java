package io.escrow.handover.tls.source;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import java.util.ArrayList;
import java.util.List;

/** A client and a server with BoringSSL, behind their handshake. */
final class BenchmarkConnection {

    /** What a read takes at least, as the receive buffers of Netty do. */
    private static final int MIN_READ = 2048;

    private final EmbeddedChannel server;
    private final EmbeddedChannel client;
    private long received;

    BenchmarkConnection(SslContext serverContext, SslContext clientContext, boolean followed) {
        SslHandler tls = serverContext.newHandler(ByteBufAllocator.DEFAULT);
        server = new EmbeddedChannel(tls, new ChannelInboundHandlerAdapter() {
            @Override
            public void channelRead(ChannelHandlerContext ctx, Object msg) {
                ByteBuf buf = (ByteBuf) msg;
                received += buf.readableBytes();
                buf.release();
            }
        });
        if (followed) {
            PlaintextMeter meter = new PlaintextMeter();
            server.pipeline().addAfter(server.pipeline().context(tls).name(), null, meter);
            new OpenSslTlsSource(List.of(serverContext))
                    .follow(server.pipeline().context(tls), meter);
        }
        client = new EmbeddedChannel(clientContext.newHandler(ByteBufAllocator.DEFAULT, "localhost", 1));
        while (move(client, server) || move(server, client)) {
            // The handshake, and the session tickets.
        }
        if (!tls.handshakeFuture().isSuccess()) {
            throw new IllegalStateException("handshake: " + tls.handshakeFuture());
        }
    }

    private static boolean move(EmbeddedChannel from, EmbeddedChannel to) {
        boolean any = false;
        from.flushOutbound();
        for (ByteBuf buf = from.readOutbound(); buf != null; buf = from.readOutbound()) {
            any |= buf.isReadable();
            to.writeInbound(buf);
        }
        return any;
    }

    /** Returns what the client sends, in the buffers of the reads: as it was written, or cut anywhere if there is a size. */
    List<ByteBuf> encrypt(ByteBuf message, int count, int readSize) {
        List<ByteBuf> reads = new ArrayList<>();
        ByteBuf stream = Unpooled.directBuffer();
        for (int i = 0; i < count; i++) {
            client.writeAndFlush(message.retainedDuplicate());
            for (ByteBuf buf = client.readOutbound(); buf != null; buf = client.readOutbound()) {
                if (readSize == 0) {
                    reads.add(buf);
                } else {
                    stream.writeBytes(buf);
                    buf.release();
                }
            }
        }
        while (stream.isReadable()) {
            reads.add(stream.readRetainedSlice(Math.min(readSize, stream.readableBytes())));
        }
        stream.release();
        return reads;
    }

    /** Has the server read. Returns how many bytes of data came out. */
    long read(List<ByteBuf> reads) {
        long before = received;
        ChannelPipeline pipeline = server.pipeline();
        for (ByteBuf each : reads) {
            pipeline.fireChannelRead(ByteBufAllocator.DEFAULT
                    .directBuffer(Math.max(MIN_READ, each.readableBytes()))
                    .writeBytes(each));
            pipeline.fireChannelReadComplete();
            each.release();
        }
        return received - before;
    }

    /** Has the server write a message so many times, and flush each. Returns how many bytes were sent. */
    long write(ByteBuf message, int count) {
        long sent = 0;
        for (int i = 0; i < count; i++) {
            server.write(message.retainedDuplicate());
            server.flush();
            for (ByteBuf buf = server.readOutbound(); buf != null; buf = server.readOutbound()) {
                sent += buf.readableBytes();
                buf.release();
            }
        }
        return sent;
    }

    void close() {
        client.finishAndReleaseAll();
        server.finishAndReleaseAll();
    }
}
