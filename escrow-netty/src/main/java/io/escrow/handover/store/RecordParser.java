package io.escrow.handover.store;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.util.Map;

/** Reads the layouts of a record without copying its sections: see "The record" in RECORDS.md. One use. */
final class RecordParser {

    /** Locates the bytes of a section: the position of the first one, and how many there are. */
    record Span(boolean required, int start, int length) {}

    /** Describes a record; {@code sections} are by name, in their order. */
    record Parsed(int lowest, int version, boolean clean, String listener, Map<String, Span> sections) {}

    /** The layout whose sections have no flags. */
    private static final int FIRST_LAYOUT = 1;
    /** What a section of the first layout is called since. */
    private static final Map<String, String> RENAMED = Map.of("upgrade", ChannelRecord.PROTOCOL + "http");

    private final ByteBuffer in;
    private final long elsewhere;
    private Map<String, Span> sections = Map.of();

    private RecordParser(ByteBuffer in, long elsewhere) {
        this.in = in;
        this.elsewhere = elsewhere;
    }

    /**
     * Parses a record, or the beginning of one.
     *
     * @param in the bytes, from the position to the limit; the position is changed
     * @param elsewhere how many bytes may follow that are not here; 0 if this is the whole record. Of a beginning, the
     *     sections are those whose length is here
     * @param listener the name that the listener most likely has
     * @throws UnreadableRecordException if this version can't read it
     */
    static Parsed parse(ByteBuffer in, long elsewhere, String listener) throws UnreadableRecordException {
        int length = in.remaining();
        try {
            return new RecordParser(in, elsewhere).parse(listener);
        } catch (BufferUnderflowException e) {
            throw notARecord("it is cut off after " + length + " bytes");
        } catch (CharacterCodingException e) {
            throw notARecord("a name in it is no UTF-8");
        }
    }

    private static UnreadableRecordException notARecord(String reason) {
        return UnreadableRecordException.notARecord("not the record of a channel: " + reason);
    }

    private Parsed parse(String likely) throws UnreadableRecordException, CharacterCodingException {
        int lowest = unsignedByte();
        int version = lowest == FIRST_LAYOUT ? FIRST_LAYOUT : unsignedByte();
        if (lowest == 0 || version < lowest) {
            throw notARecord("its lowest version is " + lowest + " (expected: 1 to its version, " + version + ")");
        }
        if (lowest > ChannelRecord.VERSION) {
            throw UnreadableRecordException.tooNew(lowest, version);
        }
        int flags = unsignedByte();
        if (lowest == FIRST_LAYOUT && flags > ChannelRecord.CLEAN) {
            throw notARecord("byte 1 is " + flags + " (expected: 0 or 1)");
        }
        String listener = text(likely);
        parseSections(lowest, Short.toUnsignedInt(in.getShort()));
        return new Parsed(lowest, version, (flags & ChannelRecord.CLEAN) != 0, listener, sections);
    }

    private void parseSections(int lowest, int count) throws UnreadableRecordException, CharacterCodingException {
        for (int i = 0; i < count; i++) {
            String name;
            boolean required;
            int length;
            try {
                String stored = text(ChannelRecord.RESTED);
                name = lowest == FIRST_LAYOUT ? RENAMED.getOrDefault(stored, stored) : stored;
                required = lowest == FIRST_LAYOUT
                        ? ChannelRecord.isRequired(name)
                        : (unsignedByte() & ChannelRecord.REQUIRED) != 0;
                length = in.getInt();
            } catch (BufferUnderflowException e) {
                if (elsewhere > 0) {
                    return;
                }
                throw e;
            }
            long room = in.remaining() + elsewhere;
            if (length < 0 || length > room) {
                throw notARecord("section " + i + " has " + length + " bytes (expected: 0 to " + room + ")");
            }
            if (sections.containsKey(name)) {
                throw notARecord("section " + i + " has the name of an earlier one");
            }
            sections = ChannelRecord.with(sections, name, new Span(required, in.position(), length));
            if (length > in.remaining()) {
                return;
            }
            in.position(in.position() + length);
        }
        if (in.hasRemaining() || elsewhere > 0) {
            throw notARecord("it goes on after the last of " + count + " sections");
        }
    }

    private int unsignedByte() {
        return Byte.toUnsignedInt(in.get());
    }

    /** Reads a text, which most likely is that one. */
    private String text(String likely) throws CharacterCodingException {
        int length = Short.toUnsignedInt(in.getShort());
        if (length > in.remaining()) {
            throw new BufferUnderflowException();
        }
        if (length == likely.length() && startsWith(likely)) {
            in.position(in.position() + length);
            return likely;
        }
        byte[] bytes = new byte[length];
        in.get(bytes);
        return isAscii(bytes)
                ? new String(bytes, US_ASCII)
                : UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    }

    private boolean startsWith(String text) {
        for (int i = 0; i < text.length(); i++) {
            // What is no ASCII is negative here.
            if (in.get(in.position() + i) != text.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    private static boolean isAscii(byte[] bytes) {
        for (byte b : bytes) {
            if (b < 0) {
                return false;
            }
        }
        return true;
    }
}
