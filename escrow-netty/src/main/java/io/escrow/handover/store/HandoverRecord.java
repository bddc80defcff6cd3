package io.escrow.handover.store;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Describes what a server has stored in a slot, without a look at the bytes of the connection.
 *
 * @param lowest the lowest version that a reader of the record must know
 * @param version the version that wrote it
 * @param listener the name of the listener that the slot holds, or that its connection came from, or what else it is, see
 *     {@link #isChannel}; {@code null} if this version can't {@linkplain #isReadable() read} the record
 * @param clean whether it was handed over; if not, it is kept for the case of a crash
 * @param sections the sizes of what belongs to it, in bytes, by name, in the order in which it is stored; of a record
 *     that goes on in other slots, those whose beginning is in this one
 * @param required the names of those sections without which it must not be adopted
 * @param chunks in how many other slots the record goes on; 0 for most
 */
public record HandoverRecord(
        int lowest,
        int version,
        String listener,
        boolean clean,
        Map<String, Integer> sections,
        Set<String> required,
        int chunks) {

    private static final int REPLACEMENT = 0xFFFD;
    private static final int SHORTEST = EscrowTable.HEADER_LENGTH + 2 * Byte.BYTES;

    /**
     * Keeps copies of the collections, which can't be changed.
     *
     * @param lowest see the record
     * @param version see the record
     * @param listener see the record
     * @param clean see the record
     * @param sections see the record
     * @param required see the record
     * @param chunks see the record
     */
    public HandoverRecord {
        sections = Collections.unmodifiableMap(new LinkedHashMap<>(sections));
        required = Collections.unmodifiableSet(new LinkedHashSet<>(required));
    }

    /**
     * Describes what this version stores.
     *
     * @param listener see the record
     * @param clean see the record
     * @param sections see the record; their names decide which are required
     * @param chunks see the record
     */
    public HandoverRecord(String listener, boolean clean, Map<String, Integer> sections, int chunks) {
        this(
                ChannelRecord.LOWEST,
                ChannelRecord.VERSION,
                listener,
                clean,
                sections,
                sections.keySet().stream().filter(ChannelRecord::isRequired).collect(Collectors.toSet()),
                chunks);
    }

    /**
     * Reads the payload of a slot; costs no more for large ones, whose bytes are not copied.
     *
     * @param payload all of it; is not changed
     * @return what it says; empty unless the payload is nothing but the record of a server's listener or connection,
     *     with names that can be printed, or begins as one that only a later version can read and that needs no other slot
     */
    public static Optional<HandoverRecord> of(byte[] payload) {
        ByteBuffer in = ByteBuffer.wrap(payload);
        if (payload.length < SHORTEST) {
            return Optional.empty();
        }
        int chunks = in.getInt();
        if (!RecordReader.isHeader(chunks, in.getInt())) {
            return Optional.empty();
        }
        try {
            RecordParser.Parsed parsed = RecordParser.parse(in, (long) chunks * payload.length, "");
            return isName(parsed.listener())
                            && parsed.sections().keySet().stream().allMatch(HandoverRecord::isPrintable)
                    ? Optional.of(of(parsed, chunks))
                    : Optional.empty();
        } catch (UnreadableRecordException e) {
            // Random bytes look like the beginning of a long one too often.
            return e.isTooNew() && chunks == 0
                    ? Optional.of(new HandoverRecord(e.lowest(), e.version(), null, false, Map.of(), Set.of(), chunks))
                    : Optional.empty();
        }
    }

    /**
     * Returns a payload to be shown to people: the bytes of {@linkplain ChannelRecord#isSecret secret} sections that are not sealed are
     * zeros in it. What goes on in other slots is not looked at: writers put such sections first.
     *
     * @param payload all of it; is not changed
     * @return the payload itself if it has no such section, else a copy
     */
    public static byte[] withoutSecrets(byte[] payload) {
        ByteBuffer in = ByteBuffer.wrap(payload);
        if (payload.length < SHORTEST || !RecordReader.isHeader(in.getInt(), in.getInt())) {
            return payload;
        }
        byte[] shown = payload;
        try {
            RecordParser.Parsed parsed = RecordParser.parse(in, in.getInt(0) == 0 ? 0 : Integer.MAX_VALUE, "");
            for (Map.Entry<String, RecordParser.Span> section :
                    parsed.sections().entrySet()) {
                if (ChannelRecord.isSecret(section.getKey())) {
                    shown = shown == payload ? payload.clone() : shown;
                    int start = section.getValue().start();
                    long end = Math.min((long) start + section.getValue().length(), payload.length);
                    Arrays.fill(shown, start, (int) end, (byte) 0);
                }
            }
        } catch (UnreadableRecordException e) {
            return payload;
        }
        return shown;
    }

    private static HandoverRecord of(RecordParser.Parsed parsed, int chunks) {
        Map<String, Integer> sizes = new LinkedHashMap<>();
        Set<String> required = new LinkedHashSet<>();
        parsed.sections().forEach((name, span) -> {
            sizes.put(name, span.length());
            if (span.required()) {
                required.add(name);
            }
        });
        return new HandoverRecord(
                parsed.lowest(), parsed.version(), parsed.listener(), parsed.clean(), sizes, required, chunks);
    }

    private static boolean isName(String listener) {
        return isPrintable(listener) || !isChannel(listener);
    }

    private static boolean isPrintable(String text) {
        int at = 0;
        while (at < text.length() && isPrintable(text.codePointAt(at))) {
            at = text.offsetByCodePoints(at, 1);
        }
        return at > 0 && at == text.length();
    }

    private static boolean isPrintable(int codePoint) {
        return switch (Character.getType(codePoint)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR,
                    Character.PRIVATE_USE,
                    Character.SURROGATE,
                    Character.UNASSIGNED -> false;
            default -> codePoint != REPLACEMENT; // what was no UTF-8
        };
    }

    /**
     * Returns whether this version can read the record.
     *
     * @return {@code false} if only a later version can; its listener and sections are unknown then
     */
    public boolean isReadable() {
        return listener != null;
    }

    /** Returns whether the slot holds a listener or a connection. */
    public boolean isChannel() {
        return isReadable() && isChannel(listener);
    }

    private static boolean isChannel(String listener) {
        return !listener.equals(ChannelRecord.RENDEZVOUS)
                && !listener.equals(ChannelRecord.MARKS)
                && !listener.equals(ChannelRecord.TICKETS_NAME);
    }

    /** Returns whether the slot holds the socket at which two processes meet while connections move in waves. */
    public boolean isRendezvous() {
        return ChannelRecord.RENDEZVOUS.equals(listener);
    }

    /** Returns whether the slot holds the keys of session tickets. */
    public boolean isTickets() {
        return ChannelRecord.TICKETS_NAME.equals(listener);
    }

    /** Returns whether the slot holds the file in which a crash-safe server marks connections. */
    public boolean isMarks() {
        return ChannelRecord.MARKS.equals(listener);
    }
}
