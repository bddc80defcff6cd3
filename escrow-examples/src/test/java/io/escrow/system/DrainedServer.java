package io.escrow.system;

import io.escrow.client.EscrowClient;
import io.escrow.handover.ServerHandover;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.codec.http.websocketx.extensions.compression.WebSocketServerCompressionHandler;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/**
 * Serves WebSockets with compression that don't move, hands itself over after the first message, and drains its connections.
 * Argument: the escrow's socket.
 */
public final class DrainedServer {

    static final String SERVING = "Serving ";
    static final String REASON = "it speaks in halves";

    private static final Duration DRAIN = Duration.ofSeconds(1);

    private DrainedServer() {}

    /** Answers a message with the first fragment of one. */
    private static final class Half extends SimpleChannelInboundHandler<TextWebSocketFrame> {
        private final CompletableFuture<Void> spoken;

        Half(CompletableFuture<Void> spoken) {
            this.spoken = spoken;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, TextWebSocketFrame frame) {
            ctx.writeAndFlush(new TextWebSocketFrame(false, 0, frame.text())).addListener(f -> spoken.complete(null));
        }
    }

    /** Runs until its connections have ended. */
    public static void main(String[] args) {
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        CompletableFuture<Void> spoken = new CompletableFuture<>();
        ServerBootstrap bootstrap = new ServerBootstrap().group(group).childHandler(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel ch) {
                ch.pipeline()
                        .addLast(
                                new HttpServerCodec(),
                                new HttpObjectAggregator(1024),
                                new WebSocketServerCompressionHandler(0),
                                new WebSocketServerProtocolHandler("/", null, true),
                                new Half(spoken));
            }
        });
        ServerHandover server = ServerHandover.with(EscrowClient.builder().path(args[0]))
                .listen("websocket", bootstrap, new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .immovable(Half.class, REASON)
                .drain(DRAIN)
                .start()
                .join();
        System.out.println(
                SERVING + ((InetSocketAddress) server.listeners().get(0).localAddress()).getPort());
        spoken.join();
        System.out.println(server.handOver(Duration.ofSeconds(10)).join());
        server.drained().join();
        System.out.println("Drained");
        group.shutdownGracefully();
    }
}
