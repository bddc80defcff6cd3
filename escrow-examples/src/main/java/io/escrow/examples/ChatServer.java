package io.escrow.examples;

import io.escrow.InheritedSockets;
import io.escrow.handover.ServerHandover;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.websocketx.WebSocketFrameAggregator;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.codec.http.websocketx.extensions.compression.WebSocketServerCompressionHandler;
import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Serves chat rooms over WebSocket, and a page to try them. The state of each connection is a name and a room; {@link
 * ChatHandler} saves and restores it.
 */
@Command(
        name = "chat-server",
        description =
                "Serves chat rooms over WebSocket at /chat, and a page for a browser at /. A message is sent to"
                        + " everybody in the room. /nick NAME changes your name, and /join ROOM your room. Hands over on SIGTERM.")
final class ChatServer implements Callable<Integer> {

    private static final int MAX_MESSAGE = 64 * 1024;

    @Mixin
    private final HandoverOptions options = new HandoverOptions();

    @Option(
            names = "--compress",
            description =
                    "compress messages if the browser asks for it (permessage-deflate): such connections move, but do"
                            + " not outlive kill -9")
    private boolean compress;

    private final ChatRooms rooms = new ChatRooms();
    private final CompletableFuture<ServerHandover> started = new CompletableFuture<>();

    @Override
    public Integer call() throws IOException, InterruptedException, ExecutionException {
        EventLoopGroup group = new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory());
        ServerBootstrap bootstrap = new ServerBootstrap().group(group).childHandler(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel channel) {
                channel.pipeline().addLast(new HttpServerCodec(), new HttpObjectAggregator(MAX_MESSAGE));
                if (compress) {
                    channel.pipeline().addLast(new WebSocketServerCompressionHandler(MAX_MESSAGE));
                }
                channel.pipeline()
                        .addLast(new WebSocketServerProtocolHandler("/chat", null, compress), new ChatPage())
                        .addLast(new WebSocketFrameAggregator(MAX_MESSAGE))
                        .addLast(new ChatHandler(rooms, ChatServer.this::saveState));
            }
        });

        ServerHandover server = ServerHandover.with(options.escrow())
                .listen("chat", bootstrap, options.address())
                .inheritListeners(InheritedSockets.ofThisProcess()) // from systemd, if there are any
                .crashSafe(options.crashSafe())
                .drain(options.drain())
                .start()
                .get();
        started.complete(server);
        HandoverOnSigterm.install(server);
        group.terminationFuture().await();
        return 0;
    }

    /** Updates the state of a connection in the escrow, so that a crash of this process does not lose it. */
    private void saveState(Channel channel) {
        // The first connections may have changed their state before start() is done.
        started.thenAccept(server -> server.checkpoint(channel));
    }
}
