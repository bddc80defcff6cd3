package io.escrow.handover.connection;

import io.escrow.handover.protocol.AttributeCodec;
import io.escrow.handover.store.ChannelRecord;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.util.AttributeKey;
import java.util.LinkedHashMap;
import java.util.Map;

/** Knows the attributes of channels that move with their connections. Immutable. */
public final class MovedAttributes {

    /** Moves none. */
    public static final MovedAttributes NONE = new MovedAttributes(Map.of());

    private static final String NAME = "[ -~]{1,200}";

    private record Moved<T>(AttributeKey<T> key, AttributeCodec<T> codec) {

        void save(Channel channel, ChannelRecord.Builder record) {
            T value = channel.hasAttr(key) ? channel.attr(key).get() : null;
            if (value != null) {
                ByteBuf out = Unpooled.buffer(0);
                try {
                    codec.encode(value, out);
                } catch (RuntimeException e) {
                    throw new IllegalStateException("attribute " + key + " of " + channel + " can't be saved: " + e, e);
                }
                record.putAttribute(key.name(), ByteBufUtil.getBytes(out), codec.mustBeRestored());
            }
        }

        void restore(Channel channel, byte[] saved) {
            try {
                channel.attr(key).set(codec.decode(Unpooled.wrappedBuffer(saved)));
            } catch (RuntimeException e) {
                throw new IllegalStateException("attribute " + key + " can't be restored: " + e, e);
            }
        }
    }

    private final Map<String, Moved<?>> moved;

    private MovedAttributes(Map<String, Moved<?>> moved) {
        this.moved = moved;
    }

    /**
     * Returns these and another attribute, in place of one with the same key.
     *
     * @throws IllegalArgumentException if the name of the key can't be stored
     */
    public <T> MovedAttributes with(AttributeKey<T> key, AttributeCodec<T> codec) {
        if (!key.name().matches(NAME)) {
            throw new IllegalArgumentException(
                    "name of an attribute: \"" + key.name() + "\" (expected: 1 to 200 printable ASCII characters)");
        }
        Map<String, Moved<?>> more = new LinkedHashMap<>(moved);
        more.put(key.name(), new Moved<>(key, codec));
        return new MovedAttributes(more);
    }

    /** Returns whether a section of a record is one of these. */
    boolean isKnown(String section) {
        return section.startsWith(ChannelRecord.ATTRIBUTE)
                && moved.containsKey(section.substring(ChannelRecord.ATTRIBUTE.length()));
    }

    /** Adds the values of a channel to a record. Called on its event loop. */
    void save(Channel channel, ChannelRecord.Builder record) {
        if (!moved.isEmpty()) {
            moved.values().forEach(attribute -> attribute.save(channel, record));
        }
    }

    /** Gives a fresh channel the values of a record. Called on its event loop. */
    void restore(Channel channel, ChannelRecord record) {
        if (moved.isEmpty()) {
            return;
        }
        record.withPrefix(ChannelRecord.ATTRIBUTE).forEach((name, saved) -> {
            Moved<?> attribute = moved.get(name);
            if (attribute != null) {
                attribute.restore(channel, saved);
            }
        });
    }
}
