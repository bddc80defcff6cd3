package io.escrow.system;

import static io.netty.handler.codec.http.HttpResponseStatus.OK;
import static io.netty.handler.codec.http.HttpVersion.HTTP_1_1;

import io.escrow.client.EscrowClient;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.ServerHandoverBuilder;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpServerUpgradeHandler;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.codec.http.websocketx.extensions.compression.WebSocketServerCompressionHandler;
import io.netty.handler.codec.http2.Http2FrameCodecBuilder;
import io.netty.handler.codec.http2.Http2ServerUpgradeCodec;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;

/** Serves protocols whose connections do not outlive their process, crash-safe, until it is killed. Argument: the escrow's socket. */
public final class ImmovableServer {

    static final String SERVING = "Serving ";

    static final List<Kind> KINDS = List.of(Kind.values());

    private ImmovableServer() {}

    /** Returns the port of a kind, from the line that the server prints. */
    static int port(String line, Kind kind) {
        return Integer.parseInt(line.replaceAll(".* " + kind + "=(\\d+) .*", "$1"));
    }

    /** How a connection comes to speak a protocol that does not outlive its process. */
    enum Kind {
        /** HTTP/2 from the first byte. */
        HTTP2 {
            @Override
            void init(ChannelPipeline pipeline) {
                pipeline.addLast(Http2FrameCodecBuilder.forServer().build());
            }
        },
        /** HTTP/1.1 that is upgraded to HTTP/2. */
        HTTP2_UPGRADE {
            @Override
            void init(ChannelPipeline pipeline) {
                HttpServerCodec codec = new HttpServerCodec();
                pipeline.addLast(
                        codec,
                        new HttpServerUpgradeHandler(
                                codec,
                                protocol -> new Http2ServerUpgradeCodec(
                                        Http2FrameCodecBuilder.forServer().build()),
                                1024));
            }
        },
        /** A WebSocket with permessage-deflate, whose peer takes its context over. */
        DEFLATE {
            @Override
            void init(ChannelPipeline pipeline) {
                pipeline.addLast(
                        new HttpServerCodec(),
                        new HttpObjectAggregator(1024),
                        new WebSocketServerCompressionHandler(0),
                        new WebSocketServerProtocolHandler("/", null, true),
                        new SimpleChannelInboundHandler<TextWebSocketFrame>() {
                            @Override
                            protected void channelRead0(ChannelHandlerContext ctx, TextWebSocketFrame frame) {
                                ctx.writeAndFlush(frame.retain());
                            }
                        });
            }
        },
        /** HTTP/1.1 until CONNECT, and whatever the client likes from then on. */
        TUNNEL {
            @Override
            void init(ChannelPipeline pipeline) {
                pipeline.addLast(new HttpServerCodec(), new HttpObjectAggregator(1024), new Tunnel());
            }
        };

        abstract void init(ChannelPipeline pipeline);
    }

    private static final class Tunnel extends SimpleChannelInboundHandler<HttpRequest> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, HttpRequest request) {
            ctx.writeAndFlush(new DefaultFullHttpResponse(HTTP_1_1, OK));
            ctx.pipeline().addLast(new SimpleChannelInboundHandler<ByteBuf>() {
                @Override
                protected void channelRead0(ChannelHandlerContext ctx, ByteBuf bytes) {
                    ctx.writeAndFlush(bytes.retain());
                }
            });
            ctx.pipeline().remove(HttpServerCodec.class);
            ctx.pipeline().remove(HttpObjectAggregator.class);
            ctx.pipeline().remove(this);
        }
    }

    /** Runs until it is killed. */
    public static void main(String[] args) {
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        ServerHandoverBuilder description =
                ServerHandover.with(EscrowClient.builder().path(args[0])).crashSafe(true);
        for (Kind kind : KINDS) {
            ServerBootstrap bootstrap = new ServerBootstrap()
                    .group(group)
                    .childHandler(new ChannelInitializer<Channel>() {
                        @Override
                        protected void initChannel(Channel ch) {
                            kind.init(ch.pipeline());
                        }
                    });
            description.listen(kind.name(), bootstrap, new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        }
        ServerHandover server = description.start().join();
        StringBuilder ports = new StringBuilder();
        for (int i = 0; i < KINDS.size(); i++) {
            InetSocketAddress address =
                    (InetSocketAddress) server.listeners().get(i).localAddress();
            ports.append(KINDS.get(i)).append('=').append(address.getPort()).append(' ');
        }
        System.out.println(SERVING + ports + server.startReport());
    }
}
