package io.escrow.examples;

import io.escrow.handover.ServerHandoverBuilder;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.websocketx.WebSocketFrameAggregator;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import java.net.InetSocketAddress;
import picocli.CommandLine.Command;

/** Serves WebSocket chat rooms, and a page to try them. Who is who, and where, is moved with the connections. */
@Command(
        name = "chat-server",
        description = "Serves chat rooms over WebSocket at /chat, and a page for a browser at /. A message is sent to"
                + " everybody in the room; /nick NAME and /join ROOM do what they say. Hands over on SIGTERM.")
final class ChatServer extends HandoverCommand {

    private static final int MAX_MESSAGE = 64 * 1024;

    private final ChatRooms rooms = new ChatRooms();

    @Override
    ServerHandoverBuilder describe(ServerHandoverBuilder builder, InetSocketAddress address) {
        ServerBootstrap bootstrap = new ServerBootstrap().group(group).childHandler(new ChannelInitializer<Channel>() {
            @Override
            protected void initChannel(Channel channel) {
                channel.pipeline()
                        .addLast(new HttpServerCodec(), new HttpObjectAggregator(MAX_MESSAGE))
                        .addLast(new WebSocketServerProtocolHandler("/chat"), new ChatPage())
                        .addLast(new WebSocketFrameAggregator(MAX_MESSAGE))
                        .addLast(new ChatHandler(rooms, ChatServer.this::checkpoint));
            }
        });
        return builder.listen("chat", bootstrap, address);
    }

    /** Has the escrow know about a change, should this process crash. */
    private void checkpoint(Channel channel) {
        running().thenAccept(server -> server.checkpoint(channel));
    }
}
