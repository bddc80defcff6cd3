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

/** One member of the chat. Its name and its room are its state, and go where its connection goes. */
final class ChatHandler extends SimpleChannelInboundHandler<TextWebSocketFrame> implements Movable {

    private static final String LOBBY = "lobby";

    private final ChatRooms rooms;
    private final Consumer<Channel> checkpoint;
    private String nick;
    private String room;

    /** Makes a member who calls {@code checkpoint} when its state changes. */
    ChatHandler(ChatRooms rooms, Consumer<Channel> checkpoint) {
        this.rooms = rooms;
        this.checkpoint = checkpoint;
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof WebSocketServerProtocolHandler.HandshakeComplete) {
            // An adopted connection shakes hands once more, unknown to its peer: who it is will be restored.
            if (!ServerHandover.isRestoring(ctx.channel())) {
                nick = "guest-" + ctx.channel().id().asShortText();
                enter(ctx, LOBBY);
            }
        } else if (event == HandoverEvent.HANDED_OVER && room != null) {
            // It has left this process, not the room.
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
            checkpoint.accept(ctx.channel());
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
        checkpoint.accept(ctx.channel());
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
