package io.escrow.system;

import static io.netty.handler.codec.http.HttpResponseStatus.OK;
import static io.netty.handler.codec.http.HttpVersion.HTTP_1_1;

import io.escrow.client.EscrowClient;
import io.escrow.handover.ServerHandover;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.codec.mqtt.MqttDecoder;
import io.netty.handler.codec.mqtt.MqttEncoder;
import io.netty.handler.codec.mqtt.MqttMessage;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.function.Supplier;

/**
 * Serves HTTP, WebSockets and MQTT, crash-safe, until it is killed, and prints what its handlers get. Argument: the escrow's
 * socket.
 */
public final class InterruptedServer {

    static final String SERVING = "Serving ";
    static final String GOT = "Got ";

    private InterruptedServer() {}

    private static void got(String what) {
        System.out.println(GOT + what);
    }

    /** Answers requests; never those of /poll, and those of /chunks with a first chunk. */
    private static final class Http extends SimpleChannelInboundHandler<HttpObject> {
        private String path;

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, HttpObject msg) {
            if (msg instanceof HttpRequest request) {
                path = request.uri();
                got(path);
            }
            if (!(msg instanceof LastHttpContent)) {
                return;
            }
            if (path.equals("/chunks")) {
                DefaultHttpResponse head = new DefaultHttpResponse(HTTP_1_1, OK);
                head.headers().set(HttpHeaderNames.TRANSFER_ENCODING, HttpHeaderValues.CHUNKED);
                ctx.write(head);
                ctx.writeAndFlush(new DefaultHttpContent(Unpooled.copiedBuffer(new byte[] {'x'})));
            } else if (!path.equals("/poll")) {
                DefaultFullHttpResponse response = new DefaultFullHttpResponse(HTTP_1_1, OK);
                response.headers().set(HttpHeaderNames.CONTENT_LENGTH, 0);
                ctx.writeAndFlush(response);
            }
        }
    }

    private static final class WebSocket extends SimpleChannelInboundHandler<WebSocketFrame> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, WebSocketFrame frame) {
            got("a frame");
            if (frame.isFinalFragment()) {
                ctx.writeAndFlush(new TextWebSocketFrame("ok"));
            }
        }
    }

    private static final class Mqtt extends SimpleChannelInboundHandler<MqttMessage> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, MqttMessage packet) {
            got(packet.fixedHeader().messageType().name());
        }
    }

    private static ServerBootstrap bootstrap(EventLoopGroup group, Supplier<ChannelHandler[]> handlers) {
        return new ServerBootstrap().group(group).childHandler(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel ch) {
                ch.pipeline().addLast(handlers.get());
            }
        });
    }

    /** Runs until it is killed. */
    public static void main(String[] args) {
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        InetSocketAddress any = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        ServerHandover server = ServerHandover.with(EscrowClient.builder().path(args[0]))
                .crashSafe(true)
                .listen(
                        "http",
                        bootstrap(group, () -> new ChannelHandler[] {
                            new HttpServerCodec(),
                            new WebSocketServerProtocolHandler("/ws"),
                            new WebSocket(),
                            new Http()
                        }),
                        any)
                .listen(
                        "mqtt",
                        bootstrap(group, () ->
                                new ChannelHandler[] {new MqttDecoder(), MqttEncoder.INSTANCE, new Mqtt()}),
                        any)
                .start()
                .join();
        StringBuilder ports = new StringBuilder();
        for (Channel listener : server.listeners()) {
            ports.append(((InetSocketAddress) listener.localAddress()).getPort())
                    .append(' ');
        }
        System.out.println(SERVING + ports + server.startReport());
    }
}
