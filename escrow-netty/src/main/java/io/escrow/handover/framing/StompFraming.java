package io.escrow.handover.framing;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.escrow.handover.protocol.MessageFraming;
import io.escrow.handover.protocol.ProtocolConnection;
import io.netty.buffer.ByteBuf;

/** Finds the ends of STOMP frames: lines up to an empty one, then as many bytes as they say, or all up to the NUL. */
final class StompFraming implements MessageFraming {

    private static final String CONTENT_LENGTH = "content-length:";
    private static final int MAX_DIGITS = 9;

    /** Whether the frame that has begun ends with the next NUL, wherever that is. */
    private boolean inBody;

    @Override
    public long next(ByteBuf in) {
        int start = in.readerIndex();
        if (!inBody && isEndOfLine(in.getByte(start))) {
            // The peer says that it is alive.
            int other = in.forEachByte(StompFraming::isEndOfLine);
            return (other < 0 ? in.writerIndex() : other) - (long) start;
        }
        return inBody ? body(in, start, start) : frame(in, start);
    }

    @Override
    public boolean isInMessage() {
        return inBody;
    }

    private long frame(ByteBuf in, int start) {
        long length = -1;
        int at = start;
        while (true) {
            int lineFeed = in.indexOf(at, in.writerIndex(), (byte) '\n');
            if (lineFeed < 0) {
                return 0;
            }
            String line = in.toString(at, lineFeed - at, US_ASCII).replace("\r", "");
            at = lineFeed + 1;
            if (line.isEmpty()) {
                return length < 0 ? body(in, start, at) : at - start + length + 1;
            }
            if (length < 0 && line.startsWith(CONTENT_LENGTH)) {
                String digits = line.substring(CONTENT_LENGTH.length());
                if (digits.isEmpty()
                        || digits.length() > MAX_DIGITS
                        || !digits.chars().allMatch(c -> c >= '0' && c <= '9')) {
                    return MALFORMED;
                }
                length = Integer.parseInt(digits);
            }
        }
    }

    /** Looks for the NUL from an index on; returns how much of the frame is known. */
    private long body(ByteBuf in, int start, int from) {
        int nul = in.indexOf(from, in.writerIndex(), (byte) 0);
        inBody = nul < 0 && (inBody || in.writerIndex() - start > ProtocolConnection.MAX_KEPT);
        if (nul >= 0) {
            return nul + 1L - start;
        }
        return inBody ? in.writerIndex() - (long) start : 0;
    }

    private static boolean isEndOfLine(byte b) {
        return b == '\n' || b == '\r';
    }
}
