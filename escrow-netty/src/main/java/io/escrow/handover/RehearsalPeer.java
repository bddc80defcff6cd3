package io.escrow.handover;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoop;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** The peer of one connection of a {@link RehearsalStage}, and the pipeline at the other end. */
final class RehearsalPeer {

    private static final boolean HAS_HTTP = isThere("io.netty.handler.codec.http.HttpServerCodec");
    private static final int LENGTH_BYTES = 4;
    private static final int MAX_FRAME = 1024;
    private static final byte[] FRAME = {0, 0, 0, 1, 7};

    /** So many in each wave, as what encrypts is compiled later than the rest. */
    private static final int ENCRYPTED_MESSAGES = 4;

    private static final byte[] REQUEST = "GET / HTTP/1.1\r\nHost: rehearsal\r\n\r\n".getBytes(US_ASCII);

    private final Semaphore answers = new Semaphore(0);
    private final Channel channel;
    private final int messages;

    /**
     * Owns one end of a pair of sockets.
     *
     * @param isTcp whether it is a TCP socket, and not a UNIX-domain one
     * @param tls encrypts what it sends; {@code null} if nothing does
     */
    RehearsalPeer(EventLoop loop, int socket, boolean isTcp, ChannelHandler tls) {
        channel = isTcp ? new EpollSocketChannel(socket) : new EpollDomainSocketChannel(socket);
        messages = tls == null ? 1 : ENCRYPTED_MESSAGES;
        if (tls != null) {
            channel.pipeline().addLast(tls);
        }
        channel.pipeline().addLast(new SimpleChannelInboundHandler<ByteBuf>() {
            @Override
            protected void channelRead0(ChannelHandlerContext ctx, ByteBuf in) {
                answers.release();
            }
        });
        loop.register(channel);
    }

    private static boolean isThere(String name) {
        try {
            Class.forName(name, false, RehearsalPeer.class.getClassLoader());
            return true;
        } catch (ClassNotFoundException | LinkageError e) {
            return false;
        }
    }

    /**
     * Builds the pipelines of the server: of HTTP, if its codec is there, and else of frames.
     *
     * @param tls makes the handler of TLS of each; {@code null} if there is none
     */
    static ChannelHandler serverPipeline(Supplier<ChannelHandler> tls) {
        return new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel child) {
                if (tls != null) {
                    child.pipeline().addLast(tls.get());
                }
                if (HAS_HTTP) {
                    child.pipeline().addLast(new HttpServerCodec(), new Answer());
                } else {
                    child.pipeline()
                            .addLast(new LengthFieldBasedFrameDecoder(MAX_FRAME, 0, LENGTH_BYTES), Echo.INSTANCE);
                }
            }
        };
    }

    /** Builds pipelines of the server that have no protocol, and echo what comes. */
    static ChannelHandler bytesPipeline() {
        return new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel child) {
                child.pipeline().addLast(Echo.INSTANCE);
            }
        };
    }

    /** Sends messages. */
    void ask() {
        for (int i = 0; i < messages; i++) {
            channel.writeAndFlush(Unpooled.wrappedBuffer(HAS_HTTP ? REQUEST : FRAME));
        }
    }

    /** Waits for the answers to what it has sent: then the connection is at rest. */
    void awaitAnswers(Duration patience) throws IOException {
        try {
            if (!answers.tryAcquire(messages, patience.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new IOException("no answer came in " + patience.toSeconds() + " s");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    void close() {
        channel.close();
    }

    @Sharable
    private static final class Echo extends ChannelInboundHandlerAdapter {
        private static final Echo INSTANCE = new Echo();

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ctx.writeAndFlush(msg);
        }
    }

    /** Is loaded only if its codec is there. */
    private static final class Answer extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            boolean isEnd = msg instanceof LastHttpContent;
            ReferenceCountUtil.release(msg);
            if (isEnd) {
                DefaultFullHttpResponse answer = new DefaultFullHttpResponse(
                        HttpVersion.HTTP_1_1, HttpResponseStatus.NO_CONTENT, Unpooled.EMPTY_BUFFER);
                answer.headers().set(HttpHeaderNames.CONTENT_LENGTH, 0);
                ctx.writeAndFlush(answer);
            }
        }
    }
}
