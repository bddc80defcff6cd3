package io.escrow.examples;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.handover.ServerHandover;
import io.escrow.handover.protocol.HandoverEvent;
import io.escrow.handover.protocol.Movable;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import java.util.function.Consumer;

/** One member of the chat. The name and the room of the member are saved and restored with the connection. */
final class ChatHandler extends SimpleChannelInboundHandler<TextWebSocketFrame> implements Movable {

    private static final String LOBBY = "lobby";

    private final ChatRooms rooms;
    private final Consumer<Channel> saveState;
    private String nick;
    private String room;

    /** Makes a handler that calls {@code saveState} whenever its state changes. */
    ChatHandler(ChatRooms rooms, Consumer<Channel> saveState) {
        this.rooms = rooms;
        this.saveState = saveState;
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof WebSocketServerProtocolHandler.HandshakeComplete) {
            // The library repeats the handshake of an adopted connection, without its peer. Then restore() follows.
            if (!ServerHandover.isRestoring(ctx.channel())) {
                nick = "guest-" + ctx.channel().id().asShortText();
                enter(ctx, LOBBY);
            }
        } else if (event == HandoverEvent.HANDED_OVER && room != null) {
            // The member stays in the room, in the next process. So nobody is told.
            rooms.leave(room, ctx.channel());
            room = null;
        }
        ctx.fireUserEventTriggered(event);
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, TextWebSocketFrame frame) {
        String[] words = frame.text().strip().split("\\s+", 2);
        if (words[0].equals("/nick") && words.length == 2) {
            rooms.say(room, "* " + nick + " is now " + words[1]);
            nick = words[1];
            saveState.accept(ctx.channel());
        } else if (words[0].equals("/join") && words.length == 2) {
            leave(ctx);
            enter(ctx, words[1]);
        } else {
            rooms.say(room, nick + ": " + frame.text());
        }
    }

    private void enter(ChannelHandlerContext ctx, String newRoom) {
        room = newRoom;
        rooms.enter(room, ctx.channel());
        rooms.say(room, "* " + nick + " has joined " + room);
        saveState.accept(ctx.channel());
    }

    private void leave(ChannelHandlerContext ctx) {
        rooms.leave(room, ctx.channel());
        rooms.say(room, "* " + nick + " has left " + room);
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        if (room != null) {
            leave(ctx);
        }
        ctx.fireChannelInactive();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        ctx.close();
    }

    @Override
    public String section() {
        return "chat";
    }

    @Override
    public void save(ChannelHandlerContext ctx, ByteBuf out) {
        if (room != null) {
            writeText(out, nick);
            writeText(out, room);
        }
    }

    @Override
    public void restore(ChannelHandlerContext ctx, ByteBuf in) {
        nick = readText(in);
        room = readText(in);
        rooms.enter(room, ctx.channel());
    }

    private static void writeText(ByteBuf out, String text) {
        byte[] bytes = text.getBytes(UTF_8);
        out.writeInt(bytes.length).writeBytes(bytes);
    }

    private static String readText(ByteBuf in) {
        return in.readCharSequence(in.readInt(), UTF_8).toString();
    }
}
