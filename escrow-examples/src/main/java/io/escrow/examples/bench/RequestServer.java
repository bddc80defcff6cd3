package io.escrow.examples.bench;

import io.escrow.client.EscrowClient;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.ServerHandoverBuilder;
import io.escrow.handover.tls.MovableTls;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;

/** Answers requests of one protocol, with the library or without it, as a process for {@code bench requests} to measure. */
final class RequestServer {

    /** How the line begins that the server prints when it is ready; the port follows. */
    static final String SERVING = "Serving port ";

    /** The path of the escrow, for a server without it. */
    static final String PLAIN = "plain";

    private static final int LOOPS = 2;
    private static final int MAX_BODY = 1024;

    private RequestServer() {}

    /**
     * Runs the server.
     *
     * @param args the path of the escrow, or {@value #PLAIN}; the name of the protocol; how many bytes of content a request or an
     *     answer has; whether the server is crash-safe; and, for TLS, the file of its key
     */
    public static void main(String[] args) throws IOException {
        SslContext tls = args.length > 4 ? BenchTls.server(Path.of(args[4])) : null;
        RequestProtocol protocol = RequestProtocol.valueOf(args[1]);
        int length = Integer.parseInt(args[2]);
        boolean crashSafe = Boolean.parseBoolean(args[3]);
        InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        ServerBootstrap bootstrap = new ServerBootstrap()
                .group(new MultiThreadIoEventLoopGroup(LOOPS, EpollIoHandler.newFactory()))
                .channel(EpollServerSocketChannel.class)
                .childHandler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        if (tls != null) {
                            channel.pipeline().addLast(tls.newHandler(channel.alloc()));
                        }
                        addHandlers(channel, protocol, length);
                    }
                });
        Channel listener = args[0].equals(PLAIN)
                ? bootstrap.bind(address).syncUninterruptibly().channel()
                : listen(args[0], bootstrap, address, tls, crashSafe);
        System.out.println(SERVING + ((InetSocketAddress) listener.localAddress()).getPort());
    }

    private static Channel listen(
            String escrow, ServerBootstrap bootstrap, InetSocketAddress address, SslContext tls, boolean crashSafe) {
        ServerHandoverBuilder builder = ServerHandover.with(
                        EscrowClient.builder().path(escrow))
                .listen("requests", bootstrap, address)
                .crashSafe(crashSafe);
        if (tls != null) {
            builder.tls(MovableTls.of(tls));
        }
        return builder.start().join().listeners().get(0);
    }

    private static void addHandlers(Channel channel, RequestProtocol protocol, int length) {
        switch (protocol) {
            case ECHO -> channel.pipeline().addLast(new Echo());
            case HTTP ->
                channel.pipeline()
                        .addLast(new HttpServerCodec(), new HttpObjectAggregator(MAX_BODY), new HttpAnswers(length));
            case WEBSOCKET ->
                channel.pipeline()
                        .addLast(new HttpServerCodec(), new HttpObjectAggregator(MAX_BODY))
                        .addLast(new WebSocketServerProtocolHandler(RequestProtocol.PATH), new WebSocketEcho());
        }
        channel.pipeline().addLast(new Flush());
    }

    /** Sends the answers to all that was read at once. */
    private static final class Flush extends ChannelInboundHandlerAdapter {
        @Override
        public void channelReadComplete(ChannelHandlerContext ctx) {
            ctx.flush();
        }
    }

    private static final class Echo extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            ctx.write(msg, ctx.voidPromise());
        }
    }

    private static final class HttpAnswers extends SimpleChannelInboundHandler<FullHttpRequest> {
        private final ByteBuf body;

        HttpAnswers(int length) {
            body = Unpooled.unreleasableBuffer(Unpooled.directBuffer().writeZero(length));
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, FullHttpRequest request) {
            FullHttpResponse response =
                    new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK, body.duplicate());
            response.headers().set(HttpHeaderNames.CONTENT_LENGTH, body.readableBytes());
            ctx.write(response, ctx.voidPromise());
        }
    }

    private static final class WebSocketEcho extends SimpleChannelInboundHandler<WebSocketFrame> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, WebSocketFrame frame) {
            ctx.write(frame.retain(), ctx.voidPromise());
        }
    }
}
