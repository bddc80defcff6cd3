package io.escrow.handover.http;

import io.escrow.handover.protocol.ProtocolConnection;
import io.netty.buffer.ByteBuf;

/** Finds the ends of WebSocket messages (RFC 6455, section 5.2). A message may consist of several frames. */
final class WebSocketFraming {

    private static final int FIN = 0x80;
    private static final int COMPRESSED = 0x40;
    private static final int CONTROL = 0x08;
    private static final int MASKED = 0x80;

    private boolean inMessage;
    private boolean compressed;
    /** The number of bytes still to come of a frame that is too long to be waited for. */
    private long missing;

    /** Returns whether what was let through ends with the end of a message. */
    boolean isBetweenMessages() {
        return !inMessage && missing == 0;
    }

    /** Returns whether a frame was let through that says that its message is compressed (RFC 7692, section 6). */
    boolean isCompressed() {
        return compressed;
    }

    /** Returns how many bytes may go to the decoder, see {@link WebSocketConnection#next}. */
    int next(ByteBuf bytes, boolean begin) {
        int start = bytes.readerIndex();
        int end = bytes.writerIndex();
        int at = start;
        while (at < end) {
            if (missing > 0) {
                int length = (int) Math.min(missing, end - at);
                missing -= length;
                at += length;
            } else {
                if (!inMessage && !begin) {
                    break;
                }
                int headerLength = headerLength(bytes, at, end);
                if (headerLength < 0) {
                    break;
                }
                long length = payloadLength(bytes, at);
                boolean whole = length <= end - at - headerLength;
                if (!whole && length <= ProtocolConnection.MAX_KEPT) {
                    break;
                }
                int first = bytes.getUnsignedByte(at);
                compressed |= (first & COMPRESSED) != 0;
                if ((first & CONTROL) == 0) {
                    inMessage = (first & FIN) == 0;
                }
                at += headerLength;
                missing = length;
            }
        }
        return at - start;
    }

    /** Returns the length of the header, -1 if it is not there completely. */
    private static int headerLength(ByteBuf bytes, int at, int end) {
        if (end - at < 2) {
            return -1;
        }
        int second = bytes.getUnsignedByte(at + 1);
        int length = 2 + ((second & MASKED) != 0 ? 4 : 0);
        switch (second & ~MASKED) {
            case 126 -> length += Short.BYTES;
            case 127 -> length += Long.BYTES;
            default -> {
                // The length is in the header itself.
            }
        }
        return end - at < length ? -1 : length;
    }

    private static long payloadLength(ByteBuf bytes, int at) {
        int length = bytes.getUnsignedByte(at + 1) & ~MASKED;
        if (length == 126) {
            return bytes.getUnsignedShort(at + 2);
        }
        if (length == 127) {
            // A negative one is not allowed, and the decoder will say so.
            return bytes.getLong(at + 2) & Long.MAX_VALUE;
        }
        return length;
    }
}
