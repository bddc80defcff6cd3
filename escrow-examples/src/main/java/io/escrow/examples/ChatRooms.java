package io.escrow.examples;

import io.netty.channel.Channel;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The rooms and their members. Any thread may call the methods. */
final class ChatRooms {

    private final Map<String, ChannelGroup> rooms = new ConcurrentHashMap<>();

    void enter(String room, Channel member) {
        rooms.computeIfAbsent(room, name -> new DefaultChannelGroup(GlobalEventExecutor.INSTANCE))
                .add(member);
    }

    void leave(String room, Channel member) {
        rooms.computeIfPresent(room, (name, members) -> {
            members.remove(member);
            return members.isEmpty() ? null : members;
        });
    }

    /** Sends a text to all members of a room. */
    void say(String room, String text) {
        ChannelGroup members = rooms.get(room);
        if (members != null) {
            members.writeAndFlush(new TextWebSocketFrame(text));
        }
    }
}
