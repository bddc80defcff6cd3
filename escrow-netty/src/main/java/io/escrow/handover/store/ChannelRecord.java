package io.escrow.handover.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Describes a channel that is in the escrow. Encoded as {@code version u8, clean u8, listener text, count u16}, then for
 * each section {@code name text, length i32, bytes}; a text is {@code length u16} and UTF-8.
 *
 * @param listener the name of the listener that the channel is, or came from
 * @param clean whether it was handed over, and not found after a crash
 * @param sections state by name, see the constants
 * @param farewell what the escrow tells the peer if nobody claims the channel, possibly empty; not encoded, because the
 *     slot has it beside the record
 */
@SuppressWarnings("ArrayRecordComponent") // records are not compared
public record ChannelRecord(String listener, boolean clean, Map<String, byte[]> sections, byte[] farewell) {

    /** When it came to rest for a handover, in milliseconds since 1970, as i64. */
    public static final String RESTED = "rested";
    /** There if this side has shut its output. */
    public static final String OUTPUT_SHUT = "output-shut";
    /** There if the listener was bound by somebody else, who keeps it. */
    public static final String INHERITED = "inherited";
    /** The bytes that the peer has not taken yet. */
    public static final String UNSENT = "unsent";
    /** The bytes that the gate has not let through yet. */
    public static final String GATE = "gate";
    /** What the gate needs to build the pipeline as it was. */
    public static final String UPGRADE = "upgrade";
    /** Starts the name of a decoder whose collected bytes follow. */
    public static final String COLLECTED = "collected:";
    /** Starts the name of a {@code Movable} handler's section. */
    public static final String HANDLER = "handler:";

    /** The name that a rendezvous has among the listeners. */
    public static final String RENDEZVOUS = "\0rendezvous";

    public static final int VERSION = 1;

    private static final byte[] NO_FAREWELL = {};

    public ChannelRecord(String listener, boolean clean, Map<String, byte[]> sections) {
        this(listener, clean, sections, NO_FAREWELL);
    }

    /** Returns how long it has been at rest; {@code null} if that is not known. */
    public Duration restedFor(long nowMillis) {
        byte[] rested = sections.get(RESTED);
        return rested == null || rested.length != Long.BYTES
                ? null
                // The clock may have been set back.
                : Duration.ofMillis(
                        Math.max(0, nowMillis - ByteBuffer.wrap(rested).getLong()));
    }

    /** Returns what is left to restore when the connection has gone on: the state of its handlers, but no bytes. */
    public ChannelRecord withoutBytes() {
        Map<String, byte[]> kept = new LinkedHashMap<>(sections);
        kept.keySet().removeAll(List.of(RESTED, UNSENT, GATE));
        kept.keySet().removeIf(name -> name.startsWith(COLLECTED));
        return new ChannelRecord(listener, false, kept);
    }

    public byte[] encode() {
        ByteBuf out = Unpooled.buffer(
                64 + sections.values().stream().mapToInt(b -> b.length).sum());
        out.writeByte(VERSION);
        out.writeBoolean(clean);
        writeText(out, listener);
        out.writeShort(sections.size());
        sections.forEach((name, bytes) -> {
            writeText(out, name);
            out.writeInt(bytes.length);
            out.writeBytes(bytes);
        });
        return ByteBufUtil.getBytes(out);
    }

    /**
     * Reads what {@link #encode} wrote.
     *
     * @throws IllegalArgumentException if it was written by something else
     */
    public static ChannelRecord decode(ByteBuf in) {
        int length = in.readableBytes();
        try {
            int version = in.readUnsignedByte();
            if (version != VERSION) {
                throw new IllegalArgumentException(
                        "version of the record: " + version + " (expected: " + VERSION + ")");
            }
            boolean clean = in.readBoolean();
            String listener = readText(in);
            int count = in.readUnsignedShort();
            Map<String, byte[]> sections = new LinkedHashMap<>();
            for (int i = 0; i < count; i++) {
                String name = readText(in);
                byte[] bytes = new byte[checked(in.readInt(), in.readableBytes())];
                in.readBytes(bytes);
                sections.put(name, bytes);
            }
            return new ChannelRecord(listener, clean, sections);
        } catch (IndexOutOfBoundsException e) {
            throw new IllegalArgumentException("not the record of a channel: " + length + " bytes", e);
        }
    }

    private static int checked(int size, int readable) {
        if (size < 0 || size > readable) {
            throw new IndexOutOfBoundsException("section of " + size + " bytes in " + readable);
        }
        return size;
    }

    private static void writeText(ByteBuf out, String text) {
        byte[] bytes = text.getBytes(UTF_8);
        out.writeShort(bytes.length).writeBytes(bytes);
    }

    private static String readText(ByteBuf in) {
        return in.readCharSequence(in.readUnsignedShort(), UTF_8).toString();
    }
}
