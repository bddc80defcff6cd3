package io.escrow.handover.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.escrow.Deposit;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Describes a channel that is in the escrow, as RECORDS.md specifies it.
 *
 * @param listener the name of the listener that the channel is, or came from
 * @param clean whether it was handed over, and not found after a crash
 * @param sections state by name, in the order in which it is stored, see the constants
 * @param farewell what the escrow sends to the peer if no process claims the channel, possibly empty; not encoded, because the
 *     slot has it beside the record
 */
@SuppressWarnings("ArrayRecordComponent") // records are not compared
public record ChannelRecord(String listener, boolean clean, Map<String, Section> sections, byte[] farewell) {

    /**
     * Holds one part of a channel's state.
     *
     * @param bytes the state; not copied
     * @param required whether a reader that does not know the section must not adopt the channel
     */
    @SuppressWarnings("ArrayRecordComponent") // sections are not compared
    public record Section(byte[] bytes, boolean required) {}

    /** When it came to rest for a handover, in milliseconds since 1970, as i64. */
    public static final String RESTED = "rested";
    /** There if this side has shut its output. */
    public static final String OUTPUT_SHUT = "output-shut";
    /** There if the listener was bound by another program, which keeps it. */
    public static final String INHERITED = "inherited";
    /** There if a process that finds the connection after a crash can't go on with it; the reason, possibly empty. */
    public static final String IMMOVABLE = "immovable";
    /** The secrets and counters of a TLS connection: see {@link #isSecret}. */
    public static final String TLS = "tls";
    /** The keys of a TLS connection for the case of a crash, whose numbers are in its mark: see {@link #isSecret}. */
    public static final String TLS_KEYS = "tls-keys";
    /** How many bytes of a TLS connection have left the kernel and gone to it. */
    public static final String COUNTED = "counted";
    /** Why a TLS connection is not resumed after a crash. */
    public static final String TLS_NOT_RESUMED = "TLS, whose keys are in no record for the case of a crash";
    /** What those say who know nothing of {@link #TLS_KEYS}. */
    private static final String TLS_ONLY_BY_MARK = "TLS, which goes on only by its keys and its mark";
    /** What was read from the socket of a TLS connection, and not decrypted yet. */
    public static final String UNDECRYPTED = "undecrypted";
    /** The keys of session tickets: see {@link #isSecret}. */
    public static final String TICKETS = "tickets";
    /** Starts the name of a section that is sealed. */
    public static final String SEALED = "sealed:";
    /** The bytes that the peer has not taken yet. */
    public static final String UNSENT = "unsent";
    /** The bytes that were read and not processed yet. */
    public static final String GATE = "gate";
    /** Starts the name of a protocol's section. */
    public static final String PROTOCOL = "protocol:";
    /** Starts the name of a decoder's section: the bytes that it has collected. */
    public static final String COLLECTED = "collected:";
    /** Starts the name of the section of an attribute that the application has chosen. */
    public static final String ATTRIBUTE = "attribute:";
    /** Starts the name of a {@code Movable} handler's section. */
    public static final String HANDLER = "handler:";

    /** The name that a rendezvous has among the listeners. */
    public static final String RENDEZVOUS = "\0rendezvous";

    /** The name that the file of marks has among the listeners. */
    public static final String MARKS = "\0marks";
    /** The name that the keys of session tickets have among the listeners. */
    public static final String TICKETS_NAME = "\0tickets";

    /** The version of this writer, and the highest that this reader knows. */
    public static final int VERSION = 2;

    /** The lowest version that a reader of what is written here must know. */
    static final int LOWEST = 2;

    /** The flag of a record that was handed over. */
    static final int CLEAN = 1;
    /** The flag of a section without which a channel must not be adopted. */
    static final int REQUIRED = 1;

    private static final Set<String> STATE_OF_EVERY_CHANNEL =
            Set.of(RESTED, OUTPUT_SHUT, INHERITED, IMMOVABLE, UNSENT, GATE);
    private static final int MAX_TEXT = 0xFFFF;

    /** What comes before the name of the listener, and before each section. */
    private static final int HEADER_LENGTH = 3 * Byte.BYTES + 2 * Short.BYTES;

    private static final int SECTION_HEADER_LENGTH = Short.BYTES + Byte.BYTES + Integer.BYTES;

    /** Keeps a copy of the map, which can't be changed. */
    public ChannelRecord {
        sections = copyOf(sections);
    }

    private static Map<String, Section> copyOf(Map<String, Section> sections) {
        // Most have one section or none, which need no table; of several, the order counts.
        return sections.size() <= 1 ? Map.copyOf(sections) : Collections.unmodifiableMap(new LinkedHashMap<>(sections));
    }

    /** Returns the map to go on with when one more is in it. The given one is empty, or was returned here: then it may be changed. */
    static <V> Map<String, V> with(Map<String, V> sections, String name, V value) {
        if (sections.isEmpty()) {
            return Map.of(name, value);
        }
        Map<String, V> more = sections.size() == 1 ? new LinkedHashMap<>(sections) : sections;
        more.put(name, value);
        return more;
    }

    /** Describes a channel without a farewell. */
    public ChannelRecord(String listener, boolean clean, Map<String, Section> sections) {
        this(listener, clean, sections, Deposit.NO_BYTES);
    }

    /** Builds a record; the name of a section decides whether it is required. */
    public static final class Builder {

        private final String listener;
        private final boolean clean;
        private Map<String, Section> sections = Map.of();
        private byte[] farewell = Deposit.NO_BYTES;

        private Builder(String listener, boolean clean) {
            this.listener = listener;
            this.clean = clean;
        }

        /** Adds a section, unless it has no bytes. The bytes are not copied. */
        public Builder put(String name, byte[] bytes) {
            return put(name, bytes, isRequired(name));
        }

        /**
         * Adds the section of a handler, unless it has no bytes.
         *
         * @param section the handler's name of it, without {@link #HANDLER}
         * @param bytes not copied
         * @param required whether a process without that handler must not adopt the channel
         */
        public Builder putHandler(String section, byte[] bytes, boolean required) {
            return put(HANDLER + section, bytes, required);
        }

        /**
         * Adds the section of an attribute that has a value, though it may have no bytes.
         *
         * @param key the name of the attribute's key
         * @param bytes not copied
         * @param required whether a process that does not move the attribute must not adopt the channel
         */
        public Builder putAttribute(String key, byte[] bytes, boolean required) {
            sections = with(sections, ATTRIBUTE + key, new Section(bytes, required));
            return this;
        }

        private Builder put(String name, byte[] bytes, boolean required) {
            if (bytes.length > 0) {
                sections = with(sections, name, new Section(bytes, required));
            }
            return this;
        }

        /** Adds when the channel came to rest, in milliseconds since 1970. */
        public Builder rested(long millis) {
            byte[] bytes = new byte[Long.BYTES];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) (millis >> (Long.SIZE - (i + 1) * Byte.SIZE));
            }
            return put(RESTED, bytes);
        }

        /** Adds a section that has no bytes, and means something by being there. */
        public Builder mark(String name) {
            sections = with(sections, name, new Section(Deposit.NO_BYTES, isRequired(name)));
            return this;
        }

        /** Returns whether there is a section of that name by now. */
        public boolean has(String name) {
            return sections.containsKey(name);
        }

        /** Sets what the escrow sends to the peer if no process claims the channel. */
        public Builder farewell(byte[] farewell) {
            this.farewell = farewell;
            return this;
        }

        public ChannelRecord build() {
            return new ChannelRecord(listener, clean, sections, farewell);
        }
    }

    /**
     * Begins a record.
     *
     * @param listener the name of the listener that the channel is, or came from
     * @param clean whether it is handed over
     */
    public static Builder builder(String listener, boolean clean) {
        return new Builder(listener, clean);
    }

    /** Returns whether a section of this name is always required; those of handlers may be although this is false. */
    static boolean isRequired(String name) {
        return name.equals(UNSENT)
                || name.equals(GATE)
                || name.equals(UNDECRYPTED)
                || name.equals(OUTPUT_SHUT)
                || name.equals(IMMOVABLE)
                || (isSecret(name) && !name.equals(TLS_KEYS))
                || name.startsWith(SEALED)
                || name.startsWith(COLLECTED)
                || name.startsWith(PROTOCOL);
    }

    /** Returns whether the bytes of a section are keys: they are never printed, and overwritten when they have been used. */
    public static boolean isSecret(String name) {
        return name.equals(TLS) || name.equals(TLS_KEYS) || name.equals(TICKETS);
    }

    /** Returns whether there is a section of that name. */
    public boolean has(String name) {
        return sections.containsKey(name);
    }

    /** Returns whether the keys of a TLS connection are in the record, sealed or not. */
    public boolean hasKeys() {
        return has(TLS) || has(SEALED + TLS) || has(TLS_KEYS) || has(SEALED + TLS_KEYS);
    }

    /** Returns the bytes of a section, not copied; {@code null} if there is none of that name. */
    public byte[] get(String name) {
        Section section = sections.get(name);
        return section == null ? null : section.bytes();
    }

    /** Returns whether nothing but the moment of its rest is in the record, as in most: then there is nothing to look for, one by one. */
    public boolean isOfRestOnly() {
        return sections.isEmpty() || (sections.size() == 1 && sections.containsKey(RESTED));
    }

    /** Returns the bytes of the sections whose names begin with a prefix, by the rest of their names, in their order. */
    public Map<String, byte[]> withPrefix(String prefix) {
        Map<String, byte[]> found = null;
        if (isOfRestOnly()) {
            return Map.of();
        }
        for (Map.Entry<String, Section> section : sections.entrySet()) {
            if (section.getKey().startsWith(prefix)) {
                found = found == null ? new LinkedHashMap<>() : found;
                found.put(
                        section.getKey().substring(prefix.length()),
                        section.getValue().bytes());
            }
        }
        return found == null ? Map.of() : found;
    }

    /**
     * Returns the names of the sections that are required, and that a reader does not know: it must not adopt the
     * channel unless there is none.
     *
     * @param known whether the reader knows a section; asked for the names with a prefix, and for those that this
     *     version has no constant for
     */
    public List<String> unknownRequired(Predicate<String> known) {
        List<String> unknown = null;
        if (isOfRestOnly()) {
            return List.of();
        }
        for (Map.Entry<String, Section> section : sections.entrySet()) {
            String name = section.getKey();
            if (section.getValue().required() && !STATE_OF_EVERY_CHANNEL.contains(name) && !known.test(name)) {
                unknown = unknown == null ? new ArrayList<>() : unknown;
                unknown.add(name);
            }
        }
        return unknown == null ? List.of() : unknown;
    }

    /** Returns how long it has been at rest; {@code null} if that is not known. */
    public Duration restedFor(long nowMillis) {
        byte[] rested = get(RESTED);
        if (rested == null || rested.length != Long.BYTES) {
            return null;
        }
        long millis = 0;
        for (byte b : rested) {
            millis = millis << Byte.SIZE | Byte.toUnsignedLong(b);
        }
        // The clock may have been set back.
        return Duration.ofMillis(Math.max(0, nowMillis - millis));
    }

    /** Returns a copy that says that no other process can go on with the connection, and why. */
    public ChannelRecord immovable(String reason) {
        Map<String, Section> marked = new LinkedHashMap<>(sections);
        marked.put(IMMOVABLE, new Section(reason.getBytes(UTF_8), true));
        return new ChannelRecord(listener, clean, marked, farewell);
    }

    /**
     * Returns a copy that has the keys of a TLS connection for the case of a crash. Who does not know that section can't go on with the
     * connection.
     */
    public ChannelRecord withCrashKeys(byte[] keys) {
        Map<String, Section> with = new LinkedHashMap<>(immovable(TLS_ONLY_BY_MARK).sections);
        with.put(TLS_KEYS, new Section(keys, isRequired(TLS_KEYS)));
        return new ChannelRecord(listener, clean, with, farewell);
    }

    /**
     * Returns a copy that has the state of a TLS connection in place of the keys that were kept for the case of a crash.
     *
     * @param counted how many bytes have left the kernel and gone to it
     */
    public ChannelRecord resumed(byte[] tls, byte[] counted) {
        Map<String, Section> resumed = new LinkedHashMap<>(sections);
        resumed.remove(IMMOVABLE);
        resumed.remove(TLS_KEYS);
        resumed.put(TLS, new Section(tls, isRequired(TLS)));
        resumed.put(COUNTED, new Section(counted, isRequired(COUNTED)));
        return new ChannelRecord(listener, clean, resumed, farewell);
    }

    /** Returns a copy without keys for the case of a crash, which can't be used for some reason. */
    public ChannelRecord notResumed(String reason) {
        Map<String, Section> without = new LinkedHashMap<>(immovable(reason).sections);
        without.remove(TLS_KEYS);
        return new ChannelRecord(listener, clean, without, farewell);
    }

    /** Returns why no other process can go on with the connection; {@code null} if nothing is known against it. */
    public String whyImmovable() {
        byte[] reason = get(IMMOVABLE);
        return reason == null ? null : new String(reason, UTF_8);
    }

    /** Returns what is left to restore when the connection has gone on: the state of its handlers, but no bytes. */
    public ChannelRecord withoutBytes() {
        Map<String, Section> kept = Map.of();
        if (anyOutlastsBytes()) {
            kept = new LinkedHashMap<>(sections);
            kept.keySet().removeIf(name -> !outlastsBytes(name));
        }
        ChannelRecord left = new ChannelRecord(listener, false, kept);
        return has(TLS) ? left.immovable(TLS_NOT_RESUMED) : left;
    }

    /** Returns whether there are bytes of the stream: this record is the only one that has them. */
    public boolean hasBytes() {
        if (isOfRestOnly()) {
            return false;
        }
        for (String name : sections.keySet()) {
            if (name.equals(UNSENT) || name.equals(GATE) || name.equals(UNDECRYPTED) || name.startsWith(COLLECTED)) {
                return true;
            }
        }
        return false;
    }

    private boolean anyOutlastsBytes() {
        if (isOfRestOnly()) {
            return false;
        }
        for (String name : sections.keySet()) {
            if (outlastsBytes(name)) {
                return true;
            }
        }
        return false;
    }

    /** What this version does not know may depend on the bytes: it is not kept. */
    private static boolean outlastsBytes(String name) {
        return name.equals(OUTPUT_SHUT)
                || name.equals(INHERITED)
                || name.equals(IMMOVABLE)
                || name.startsWith(PROTOCOL)
                || name.startsWith(ATTRIBUTE)
                || name.startsWith(HANDLER);
    }

    /**
     * Encodes all but the farewell.
     *
     * @throws IllegalArgumentException if a name is too long, or there are too many sections
     */
    public byte[] encode() {
        ByteBuf out = Unpooled.buffer(encodedLength());
        encode(out);
        return out.array();
    }

    /** Returns how many bytes {@link #encode(ByteBuf)} writes. */
    public int encodedLength() {
        int length = HEADER_LENGTH + ByteBufUtil.utf8Bytes(listener);
        if (isOfRestOnly()) {
            return sections.isEmpty() ? length : length + encodedLength(RESTED, sections.get(RESTED));
        }
        for (Map.Entry<String, Section> section : sections.entrySet()) {
            length += encodedLength(section.getKey(), section.getValue());
        }
        return length;
    }

    private static int encodedLength(String name, Section section) {
        return SECTION_HEADER_LENGTH + ByteBufUtil.utf8Bytes(name) + section.bytes().length;
    }

    /**
     * Encodes all but the farewell, as {@link #encode()} does.
     *
     * @throws IllegalArgumentException if a name is too long, or there are too many sections
     */
    public void encode(ByteBuf out) {
        if (sections.size() > MAX_TEXT) {
            throw new IllegalArgumentException(
                    "sections of a record: " + sections.size() + " (expected: at most " + MAX_TEXT + ")");
        }
        out.writeByte(LOWEST);
        out.writeByte(VERSION);
        out.writeByte(clean ? CLEAN : 0);
        writeText(out, listener);
        out.writeShort(sections.size());
        if (!isOfRestOnly()) {
            sections.forEach((name, section) -> write(out, name, section));
        } else if (!sections.isEmpty()) {
            write(out, RESTED, sections.get(RESTED));
        }
    }

    private static void write(ByteBuf out, String name, Section section) {
        writeText(out, name);
        out.writeByte(section.required() ? REQUIRED : 0);
        out.writeInt(section.bytes().length);
        out.writeBytes(section.bytes());
    }

    private static void writeText(ByteBuf out, String text) {
        int length = ByteBufUtil.utf8Bytes(text);
        if (length > MAX_TEXT) {
            throw new IllegalArgumentException(
                    "length of a name in a record: " + length + " bytes (expected: at most " + MAX_TEXT + ")");
        }
        out.writeShort(length);
        ByteBufUtil.reserveAndWriteUtf8(out, text, length);
    }

    /**
     * Reads what this version or another one wrote.
     *
     * @param in the record and nothing else; is not changed
     * @throws UnreadableRecordException if this version can't read it
     */
    public static ChannelRecord decode(ByteBuf in) throws UnreadableRecordException {
        return decode(in.nioBuffer(), "");
    }

    /**
     * Reads what this version or another one wrote.
     *
     * @param bytes the record and nothing else, from the position on, which may change
     * @param listener the name that the listener most likely has: then that is the name of this record, and no copy of it
     * @throws UnreadableRecordException if this version can't read it
     */
    public static ChannelRecord decode(ByteBuffer bytes, String listener) throws UnreadableRecordException {
        RecordParser.Parsed parsed = RecordParser.parse(bytes, 0, listener);
        RecordParser.Span rested = parsed.sections().get(RESTED);
        Map<String, Section> sections = Map.of();
        if (rested != null && parsed.sections().size() == 1) {
            sections = Map.of(RESTED, section(bytes, rested));
        } else {
            for (Map.Entry<String, RecordParser.Span> each : parsed.sections().entrySet()) {
                sections = with(sections, each.getKey(), section(bytes, each.getValue()));
            }
        }
        return new ChannelRecord(parsed.listener(), parsed.clean(), sections);
    }

    private static Section section(ByteBuffer bytes, RecordParser.Span span) {
        byte[] copy = new byte[span.length()];
        bytes.get(span.start(), copy);
        return new Section(copy, span.required());
    }
}
