package io.escrow.handover.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Tells what a server has stored in a slot, without a look at the bytes of the connection.
 *
 * @param listener the name of the listener that the slot holds, or that its connection came from; empty for the
 *     {@linkplain #isRendezvous() rendezvous}
 * @param clean whether it was handed over; if not, it is kept for the case of a crash
 * @param sections the sizes of what belongs to it, in bytes, by name, in the order in which it is stored; of a record
 *     that goes on in other slots, those whose beginning is in this one
 * @param chunks in how many other slots the record goes on; 0 for most
 */
public record HandoverRecord(String listener, boolean clean, Map<String, Integer> sections, int chunks) {

    private static final int REPLACEMENT = 0xFFFD;
    private static final int SHORTEST = EscrowTable.HEADER_LENGTH + 2 * Byte.BYTES + 2 * Short.BYTES;

    /**
     * Keeps a copy of the sections, which can't be changed.
     *
     * @param listener see the record
     * @param clean see the record
     * @param sections see the record
     * @param chunks see the record
     */
    public HandoverRecord {
        sections = Collections.unmodifiableMap(new LinkedHashMap<>(sections));
    }

    /**
     * Reads the payload of a slot; costs no more for large ones, whose bytes are not copied.
     *
     * @param payload all of it; is not changed
     * @return what it says; empty unless the payload is nothing but the record of a server's listener or connection,
     *     with names that can be printed
     */
    public static Optional<HandoverRecord> of(byte[] payload) {
        ByteBuffer in = ByteBuffer.wrap(payload);
        if (payload.length < SHORTEST) {
            return Optional.empty();
        }
        int chunks = in.getInt();
        int first = in.getInt();
        int version = in.get();
        int clean = in.get();
        boolean begins = chunks >= 0
                && chunks <= EscrowTable.MAX_CHUNKS
                && (chunks == 0 ? first == 0 : first >= 0)
                && version == ChannelRecord.VERSION
                && (clean == 0 || clean == 1);
        String listener = begins ? text(in) : null;
        if (listener == null || in.remaining() < Short.BYTES || !isName(listener)) {
            return Optional.empty();
        }
        Map<String, Integer> sections = new LinkedHashMap<>();
        if (!read(in, chunks, sections)) {
            return Optional.empty();
        }
        String name = listener.equals(ChannelRecord.RENDEZVOUS) ? "" : listener;
        return Optional.of(new HandoverRecord(name, clean == 1, sections, chunks));
    }

    /** Returns whether the payload ends with the last section; or in the middle of one, if it goes on in chunks. */
    private static boolean read(ByteBuffer in, int chunks, Map<String, Integer> sections) {
        int count = Short.toUnsignedInt(in.getShort());
        for (int i = 0; i < count; i++) {
            String name = text(in);
            if (name == null || in.remaining() < Integer.BYTES) {
                return chunks > 0;
            }
            int size = in.getInt();
            if (size < 0 || !isPrintable(name) || sections.put(name, size) != null) {
                return false;
            }
            if (size > in.remaining()) {
                return size - in.remaining() <= (long) chunks * in.limit();
            }
            in.position(in.position() + size);
        }
        return chunks == 0 && !in.hasRemaining();
    }

    /** Reads a text; returns {@code null} if it is cut off. */
    private static String text(ByteBuffer in) {
        if (in.remaining() < Short.BYTES) {
            return null;
        }
        int length = Short.toUnsignedInt(in.getShort());
        if (length > in.remaining()) {
            return null;
        }
        String text = new String(in.array(), in.arrayOffset() + in.position(), length, UTF_8);
        in.position(in.position() + length);
        return text;
    }

    private static boolean isName(String listener) {
        return isPrintable(listener) || listener.equals(ChannelRecord.RENDEZVOUS);
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
     * Tells whether the slot holds no listener and no connection, but the socket at which two processes meet while
     * connections move in waves.
     *
     * @return whether it does
     */
    public boolean isRendezvous() {
        return listener.isEmpty();
    }
}
