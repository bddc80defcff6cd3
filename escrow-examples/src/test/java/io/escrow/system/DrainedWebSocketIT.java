package io.escrow.system;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.escrow.testing.JarProcess;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolConfig;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolHandler;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketExtensionDecoder;
import io.netty.handler.codec.http.websocketx.extensions.compression.WebSocketClientCompressionHandler;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A client of a WebSocket with permessage-deflate learns from the Close frame that it may come again. */
class DrainedWebSocketIT {

    private static final int SECONDS = 60;

    @TempDir
    private Path directory;

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final CompletableFuture<String> begun = new CompletableFuture<>();
    private final CompletableFuture<Integer> status = new CompletableFuture<>();

    @AfterEach
    void endClient() {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    private final class Client extends SimpleChannelInboundHandler<WebSocketFrame> {
        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            if (event == WebSocketClientProtocolHandler.ClientHandshakeStateEvent.HANDSHAKE_COMPLETE) {
                ctx.writeAndFlush(new TextWebSocketFrame("hello"));
            }
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, WebSocketFrame frame) {
            if (frame instanceof TextWebSocketFrame text) {
                boolean deflated = ctx.pipeline().get(WebSocketExtensionDecoder.class) != null;
                begun.complete(text.text() + " " + deflated + " " + text.isFinalFragment());
            } else if (frame instanceof CloseWebSocketFrame close) {
                status.complete(close.statusCode());
                ctx.writeAndFlush(close.retain());
            }
        }
    }

    private Channel connect(int port) {
        WebSocketClientProtocolConfig config = WebSocketClientProtocolConfig.newBuilder()
                .webSocketUri("ws://127.0.0.1:" + port + "/")
                .allowExtensions(true)
                .handleCloseFrames(false)
                .build();
        return new Bootstrap()
                .group(group)
                .channel(EpollSocketChannel.class)
                .handler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel ch) {
                        ch.pipeline()
                                .addLast(
                                        new HttpClientCodec(),
                                        new HttpObjectAggregator(1024),
                                        new WebSocketClientCompressionHandler(0),
                                        new WebSocketClientProtocolHandler(config),
                                        new Client());
                    }
                })
                .connect(InetAddress.getLoopbackAddress(), port)
                .syncUninterruptibly()
                .channel();
    }

    @Test
    void drainedWebSocketWithCompressionIsToldToComeAgain() throws Exception {
        try (JarProcess daemon = JarProcess.escrowd(directory.resolve("s"));
                JarProcess server = JarProcess.main(
                        DrainedServer.class, directory.resolve("s").toString())) {
            String line = server.awaitLine(DrainedServer.SERVING);
            Channel client = connect(Integer.parseInt(line.substring(DrainedServer.SERVING.length())));
            assertEquals("hello true false", begun.get(SECONDS, TimeUnit.SECONDS));
            assertTrue(server.awaitLine("HandoverReport").contains(DrainedServer.REASON));
            assertEquals(1012, status.get(SECONDS, TimeUnit.SECONDS));
            client.closeFuture().get(SECONDS, TimeUnit.SECONDS);
            server.awaitLine("Drained");
            assertTrue(daemon.isAlive());
        }
    }
}
