package io.escrow.system;

import io.escrow.client.EscrowClient;
import io.escrow.handover.HandoverReport;
import io.escrow.handover.ServerHandover;
import io.escrow.handover.ServerHandoverBuilder;
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
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrameAggregator;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketServerExtensionHandler;
import io.netty.handler.codec.http.websocketx.extensions.compression.PerMessageDeflateServerExtensionHandshaker;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;

/**
 * Answers WebSocket messages with themselves, compressed if the client wants that, and hands itself over on SIGTERM. Arguments:
 * the escrow's socket, and whether it moves in {@code waves}, {@code at-once}, or is {@code crash-safe}.
 */
public final class DeflateServer {

    static final String SERVING = "Serving ";
    static final String HANDED_OVER = "Handed over: ";

    private static final int MAX_MESSAGE = 1 << 20;

    private DeflateServer() {}

    private static final class Echo extends SimpleChannelInboundHandler<WebSocketFrame> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, WebSocketFrame frame) {
            ctx.writeAndFlush(frame.retain());
        }
    }

    /** Runs until it is ended. */
    public static void main(String[] args) {
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory());
        ServerBootstrap bootstrap = new ServerBootstrap().group(group).childHandler(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel ch) {
                ch.pipeline()
                        .addLast(
                                new HttpServerCodec(),
                                new HttpObjectAggregator(1024),
                                new WebSocketServerExtensionHandler(
                                        new PerMessageDeflateServerExtensionHandshaker(6, false, 15, true, true, 0)),
                                new WebSocketServerProtocolHandler("/", null, true, MAX_MESSAGE),
                                new WebSocketFrameAggregator(MAX_MESSAGE),
                                new Echo());
            }
        });
        ServerHandoverBuilder builder = ServerHandover.with(
                        EscrowClient.builder().path(args[0]))
                .listen("websocket", bootstrap, new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .crashSafe(args[1].equals("crash-safe"));
        if (args[1].equals("waves")) {
            builder.waves(Duration.ofMillis(20));
        }
        ServerHandover server = builder.start().join();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> handOver(server)));
        System.out.println(SERVING
                + ((InetSocketAddress) server.listeners().get(0).localAddress()).getPort() + " "
                + server.startReport());
    }

    private static void handOver(ServerHandover server) {
        HandoverReport report = server.handOver(Duration.ofSeconds(20)).join();
        System.out.println(HANDED_OVER + report);
        server.drained().join();
    }
}
